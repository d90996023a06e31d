"""Requests that no door takes."""

import json
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from tests.conftest import ROW
from tests.hostile.files import CSV, JSON, SCRIPT, members

FORM = "application/x-www-form-urlencoded"
INFER = "/v2/models/titanic/infer"

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


def _tensor(**changes: object) -> dict[str, object]:
    return {"inputs": [{"name": "Age", "shape": [1], "datatype": "FP64", "data": [1.0]} | changes]}


def _binary(size: object, blob: bytes, length: str | None = None, datatype: str = "FP64") -> HostileRequest:
    """A tensor of bytes, which are said to be so many, behind JSON that is said to be so long."""
    entry = {"name": "Age", "shape": [1], "datatype": datatype, "parameters": {"binary_data_size": size}}
    head = json.dumps({"inputs": [entry]}).encode()
    told = str(len(head)) if length is None else length
    name = f"{size} bytes of {datatype} behind {told}"
    return HostileRequest(name, "POST", INFER, {"Inference-Header-Content-Length": told}, head + blob)


def _protocols() -> list[HostileRequest]:
    """The doors for clients of other servers: what is wrong with their JSON, and what is no JSON."""
    found = [_binary(size, bytes(8)) for size in (-1, 0, 7, 9, 2**63, "8", None, 8.0, True, [8])]
    found += [_binary(8, bytes(8), length) for length in ("-1", "0", "1", "9" * 400, "abc", "1e3", "0x10")]
    found += [_binary(8, blob, datatype="BYTES") for blob in (b"\xff" * 8, bytes(8), b"\x04\0\0\0\xff\xfe\xfd\xfc")]
    shapes: tuple[object, ...] = (
        [0, 10**9],
        [10**9, 0],
        [10**9],
        [2**62, 2**62],
        [-1],
        [-1, -1],
        [1] * 5000,
        [],
        "1",
        [1.0],
        [True],
        [None],
        [[1]],
        {"a": 1},
        [10**400],
    )
    bodies: list[object] = [_tensor(shape=shape) for shape in shapes]
    bodies += [_tensor(shape=shape, data=[]) for shape in ([0, 10**9], [10**9, 0], [10**9, 10**9], [0, 0])]
    bodies += [_tensor(datatype=kind) for kind in ("FP128", "object", "", None, 5, [], {}, "a" * 5000, SCRIPT)]
    bodies += [_tensor(data=data) for data in ([[]], [{}], ["x"], {"a": 1}, 5, None, [1, 2], [[1]] * 2, [1e400])]
    bodies += [_tensor(name=name) for name in ("", None, 5, [], *OUTSIDE)]
    bodies += [_tensor(parameters={"content_type": kind}) for kind in ("base64", "pickle", "../a", 5)]
    bodies += [
        {"inputs": []},
        {"inputs": None},
        {"inputs": [None]},
        {"inputs": {}},
        _tensor() | {"outputs": [{"name": "a"}]},
    ]
    found += [_post(f"tensor {number}", INFER, body) for number, body in enumerate(bodies)]
    rows = [dict(ROW)]
    forms: list[object] = [
        {},
        [],
        {"instances": rows, "inputs": rows},
        {"dataframe_split": {"data": [[1]], "columns": [[]]}},
        {"dataframe_split": {"data": 5, "columns": []}},
        {"dataframe_split": {"data": [[1], [1, 2]], "columns": ["a"]}},
        {"dataframe_records": {"a": 1}},
        {"dataframe_records": [1, {"a": 1}]},
        {"instances": [[1], 2]},
        {"inputs": "a"},
        {"instances": {"b64": "gASVAAAA"}},
        {"instances": rows, "params": {"output": "../a"}},
        {"inputs": {"a": [1], "b": [1, 2]}},
        {"instances": rows, "params": [1]},
        {"inputs": [[[[[1]]]]]},
        {"dataframe_split": {"data": [[1]], "columns": ["a"] * 10_100}},
        {"inputs": {f"c{index}": [1] for index in range(10_100)}},
        {"instances": [[1] * 10_100]},
        {"dataframe_records": [{f"c{index}": 1 for index in range(10_100)}]},
    ]
    forms += [{name: rows} for name in OUTSIDE]
    return found + [_post(f"invocation {number}", "/invocations", body) for number, body in enumerate(forms)]


def packed_requests() -> list[HostileRequest]:
    """Small bodies that would grow to gigabytes, at every door that takes one, each to be answered by a 4xx."""
    found = []
    patterns = {"zeros": b"\0", "brackets": b"[", "spaces": b" ", "a text": b'{"a":"' + b"a" * 10}
    doors = [
        ("POST", "/titanic", JSON),
        ("POST", "/titanic?_action=append", CSV),
        ("POST", "/titanic", FORM),
        ("PUT", "/titanic", JSON),
        ("POST", INFER, JSON),
        ("POST", "/invocations", JSON),
        ("POST", "/invocations", CSV),
        ("POST", "/reviews", JSON),
        ("POST", "/custom_classifier/predict", JSON),
        ("POST", "/api/v1/iris/predict", JSON),
        ("POST", "/api/v1/abtests", JSON),
    ]
    for name, pattern in patterns.items():
        bomb = members(pattern * (16 // len(pattern)), 3072)
        for method, path, kind in doors if name == "brackets" else [("POST", INFER, JSON)]:
            headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
            found.append(HostileRequest(f"{name} at {path}, {kind}", method, path, headers, bomb))
    for method, path, kind in doors:
        headers = {"Content-Type": kind, "Content-Encoding": ", ".join(["gzip"] * 1600)}
        found.append(HostileRequest(f"1,600 encodings at {path}, {kind}", method, path, headers, b"\x1f\x8b"))
        headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
        # Within limits.unpacked_mb, and more than is to be in memory.
        content = members(b"[" * 16, 1024)
        found.append(HostileRequest(f"a gigabyte at {path}, {kind}", method, path, headers, content))
    return found


def hostile_requests() -> list[HostileRequest]:
    """All of them, each to be answered by a 4xx."""
    return [
        *_queries(),
        *_paths(),
        *_headers(),
        *_other_doors(),
        *_protocols(),
        _post("an empty table", "/titanic?_action=append", b"", CSV),
    ]
