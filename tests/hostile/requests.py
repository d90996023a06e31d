"""Requests that no door takes."""

import json
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from tests.conftest import ROW
from tests.hostile.files import CSV, JSON, SCRIPT

OUTSIDE = (
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/passwd",
    "C:\\windows\\win.ini",
    "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data",
    "\\\\server\\share",
    "....//....//etc/passwd",
    "a\0b",
    "a" * 5000,
    SCRIPT,
    "{{7*7}}",
    "${7*7}",
    "'; DROP TABLE runs; --",
    "\u202etxt.exe",
)
CODE = ("os.system", "__import__('os').system('id')", "builtins.eval", "sklearn.__builtins__", "subprocess.Popen")


@dataclass(frozen=True)
class HostileRequest:
    """Method, path with its query as it goes over the line, headers and body."""

    name: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


def _ask(name: str, method: str, path: str, /, **query: str) -> HostileRequest:
    # A line of more than 8,190 characters is gunicorn's to refuse.
    return HostileRequest(name, method, f"{path}?{urlencode(query)}" if query else path)


def _post(name: str, path: str, value: object, kind: str = JSON) -> HostileRequest:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return HostileRequest(name, "POST", path, {"Content-Type": kind}, body)


def _queries() -> list[HostileRequest]:
    row = {name: str(cell) for name, cell in ROW.items()}
    found = []
    for value in OUTSIDE:
        shown = value[:24]
        options = ("_output", "_format", "_action", "_picture")
        found += [_ask(f"{option}={shown}", "GET", "/titanic", **row, **{option: value}) for option in options]
        found += [
            _ask(f"_runs, _status={shown}", "GET", "/titanic", _runs="", _status=value),
            _ask(f"run={shown}", "PUT", "/titanic", _model="", run=value),
            _ask(f"class={shown}", "PUT", "/titanic", **{"class": value}),
            _ask(f"C={shown}", "PUT", "/titanic", C=value),
            _ask(f"path={shown}", "PUT", "/titanic", path=value),
            _ask(f"config_dir={shown}", "PUT", "/titanic", config_dir=value),
            _ask(f"train, data={shown}", "POST", "/titanic", _action="train", data=value),
            _ask(f"train, model={shown}", "POST", "/titanic", _action="train", model=value),
            _ask(f"_metric={shown}", "POST", "/titanic", _action="score", _metric=value),
            _ask(f"train, target_col={shown}", "POST", "/titanic", _action="train", target_col=value),
            _ask(f"delete={shown}", "DELETE", "/titanic", delete=value),
            _ask(f"Age={shown}", "GET", "/titanic", **(row | {"Age": value})),
            _ask(f"an option called {shown}", "GET", "/titanic", **row, **{f"_{value}": "1"}),
            _ask(f"endpoint={shown}", "GET", "/runs", endpoint="titanic", status=value),
        ]
    for value in CODE:
        found += [
            _ask(f"class={value}", "PUT", "/titanic", **{"class": value}),
            _ask(f"train, class={value}", "POST", "/titanic", _action="train", **{"class": value}),
            _ask(f"transform={value}", "PUT", "/titanic", transform=value),
            _ask(f"C={value}", "PUT", "/titanic", C=value),
        ]
    return found


def _paths() -> list[HostileRequest]:
    found = []
    for value in OUTSIDE[:12]:
        name = quote(value, safe="/%")
        # A slash too many is left out by a redirection, before anything is looked for.
        places = ("/runs/", "/_static/", "/_static/0/") if "//" not in f"/{name}" else ("/runs/x",)
        found += [_ask(f"{place}{value[:20]}", "GET", place + name) for place in places]
        found.append(_ask(f"end of {value[:20]}", "DELETE", f"/runs/x{name}"))
        found.append(_ask(f"predict of {value[:20]}", "POST", f"/api/v1/x{name}/predict"))
    for number in ("0", "-1", "9" * 400, "1.5", "1e3", "%00", "1%20OR%201=1"):
        found += [_ask(f"{kind} {number[:9]}", "GET", f"/api/v1/{kind}/{number}") for kind in ("mlrequests", "abtests")]
    methods = [("TRACE", "/titanic"), ("PATCH", "/titanic"), ("BREW", "/"), ("DELETE", "/"), ("PUT", "/healthz")]
    return found + [_ask(f"{method} {path}", method, path) for method, path in methods]


def _headers() -> list[HostileRequest]:
    body = json.dumps([ROW]).encode()
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="../../../tmp/escaped.pkl"\r\n\r\n\x80\x04.\r\n'
    )
    sent = {
        "an unknown encoding": ({"Content-Type": JSON, "Content-Encoding": "br"}, body),
        "no gzip": ({"Content-Type": JSON, "Content-Encoding": "gzip"}, body),
        "encodings without end": ({"Content-Type": JSON, "Content-Encoding": ", ".join(["gzip"] * 500)}, body),
        "a form without a boundary": ({"Content-Type": "multipart/form-data"}, form),
        "a form of another boundary": ({"Content-Type": "multipart/form-data; boundary=c"}, form),
        "a form that does not end": ({"Content-Type": "multipart/form-data; boundary=b"}, form),
        "a pickle from elsewhere": ({"Content-Type": "multipart/form-data; boundary=b"}, form + b"--b--\r\n"),
        "parts without end": (
            {"Content-Type": "multipart/form-data; boundary=b"},
            b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 20_000 + b"--b--\r\n",
        ),
        "a length that is no number": ({"Content-Type": JSON, "Content-Length": "abc"}, b""),
        "a length below nothing": ({"Content-Type": JSON, "Content-Length": "-5"}, b""),
        "more than is allowed": ({"Content-Type": JSON, "Content-Length": str(2**40)}, b""),
        "another site's page": ({"Content-Type": JSON, "Origin": "https://elsewhere.example"}, body),
        "a form of another site": ({"Content-Type": JSON, "Sec-Fetch-Site": "cross-site"}, body),
    }
    return [HostileRequest(name, "POST", "/titanic", *parts) for name, parts in sent.items()]


def _other_doors() -> list[HostileRequest]:
    found = []
    for number, value in enumerate(OUTSIDE):
        path = {"labels": ["a", "b"], "path": value, "experiment_name": "e"}
        found += [
            _post(f"documents in {value[:20]}", "/custom_classifier/process", path),
            _post(f"run {value[:20]}", "/custom_classifier/predict", {"runid": value, "text": "a"}),
            _post(f"job {value[:20]}", "/custom_classifier/job_status", {"run_id": value}),
            _post(f"removed {value[:20]}", "/custom_classifier/experiment/hard_delete", {"experiment_name": value}),
            _post(f"status {value[:20]}", "/api/v1/mlalgorithmstatuses", {"status": value, "parent_mlalgorithm": 1}),
            _post(f"test {value[:20]}", "/api/v1/abtests", {"title": value, "parent_mlalgorithm1": value}),
            _post(f"flower {value[:20]}", "/api/v1/iris/predict", {"sepal length (cm)": value}),
            _ask(f"which {value[:20]}", "POST", "/api/v1/iris/predict", status=value),
            _post(f"text {number}", "/reviews", {"query": [value, {"a": 1}]}),
        ]
    odd = [b"", b"{", b"[]", b"5", b"null", b"[" * 100_000, b"\xff", b'{"a": NaN}', b"\x80\x04."]
    doors = ["process", "predict", "job_status", "experiment/soft_delete", "run/soft_delete"]
    for body in odd:
        found += [_post(f"{door}: {body[:9]!r}", f"/custom_classifier/{door}", body) for door in doors]
        found += [_post(f"{door}: {body[:9]!r}", f"/api/v1/{door}", body) for door in ("iris/predict", "abtests")]
        if body not in (b"", b"[]"):
            found += [_post(f"reviews: {body[:9]!r}", "/reviews", body)]
    return found


def hostile_requests() -> list[HostileRequest]:
    """All of them, each to be answered by a 4xx."""
    return [
        *_queries(),
        *_paths(),
        *_headers(),
        *_other_doors(),
        _post("an empty table", "/titanic?_action=append", b"", CSV),
    ]
