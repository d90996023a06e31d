"""Names from outside lead nowhere: no file is read, written or fetched by them."""

from io import BytesIO
from urllib.parse import quote

import pytest

from tests.conftest import ROW
from tests.reviews import text_endpoint
from tests.web.conftest import assert_problem

pytestmark = pytest.mark.slow
CANARY = "a canary that no answer may hold"
NAMES = [
    "../canary.txt", "../../canary.txt", "../../../../../../etc/passwd", "/etc/passwd", "//etc/passwd",
    "....//canary.txt",    "..%2fcanary.txt", "..%252fcanary.txt", "%2e%2e/canary.txt", "..\\canary.txt",
    "C:\\canary.txt", "C:/canary.txt",
    "\\\\host\\share\\canary.txt", "file:///etc/passwd", "http://127.0.0.1:9/canary", "~/canary.txt",
    "canary.txt\0.svg",
    "\0", ".", "..", "...", "a" * 5000, "../" * 500 + "etc/passwd",
    "．．／canary.txt", "․․/canary.txt", "..∕canary.txt",
    "link/canary.txt", "canary.txt", "$YAMLPATH/canary.txt", "NUL", "CON", " ", "\u202ecanary", "{{7*7}}",
    "a\r\nSet-Cookie: b=c",
]  # fmt: skip
PLACES = {
    "a run": lambda name: ("GET", f"/runs/{name}", {}),
    "a run's picture": lambda name: ("GET", f"/runs/{name}?_picture={name}", {}),
    "a file of the pages": lambda name: ("GET", f"/static/{name}", {}),
    "a picture": lambda name: ("GET", "/titanic", {"query_string": {"_picture": name}}),
    "a picture's shape": lambda name: ("GET", "/titanic", {"query_string": {"_picture": "roc", "_shape": name}}),
    "a format": lambda name: ("GET", "/titanic", {"query_string": {"_cache": "", "_format": name}}),
    "an earlier model": lambda name: ("PUT", "/titanic", {"query_string": {"_model": "", "run": name}}),
    "a class": lambda name: ("PUT", "/titanic", {"query_string": {"class": name}}),
    "a path of the model": lambda name: ("PUT", "/titanic", {"json": {"path": name}}),
    "a metric": lambda name: ("POST", "/titanic", {"query_string": {"_action": "score", "_metric": name}}),
    "a thing to delete": lambda name: ("DELETE", "/titanic", {"query_string": {"delete": name}}),
    "an endpoint of runs": lambda name: ("GET", "/runs", {"query_string": {"endpoint": name}}),
}
TEXT = {"text": "a", "label": 1}
USUAL = ("an endpoint of runs",)


@pytest.fixture(scope="module")
def canary(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outside")
    (folder / "canary.txt").write_text(CANARY)
    return folder


@pytest.mark.parametrize("place", PLACES)
def test_a_name_that_leads_out_reads_nothing(reader, canary, place, monkeypatch):
    monkeypatch.chdir(canary)
    for name in NAMES:
        path_name = (
            quote(name, safe="/%.:\\~") if place in ("a run", "a run's picture", "a file of the pages") else name
        )
        method, url, sent = PLACES[place](path_name)
        answer = reader.open(url, method=method, **sent)
        text = answer.get_data(as_text=True)
        assert CANARY not in text, (place, name)
        assert "root:" not in text, (place, name)
        assert "Set-Cookie" not in answer.headers
        leads_to_a_list = place == "a run" and answer.status_code in (200, 308) and name.strip(". /") == ""
        assert 400 <= answer.status_code < 500 or place in USUAL or leads_to_a_list, (place, name, answer.status_code)


@pytest.mark.parametrize("name", [*NAMES, "rows.csv", "../rows.json", "/tmp/rows.pkl"])
def test_the_name_of_an_uploaded_file_tells_its_format_at_most(reader, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    content = ",".join(ROW).encode() + b"\n" + ",".join(map(str, ROW.values())).encode() + b"\n"
    answer = reader.post("/titanic", data={"file": (BytesIO(content), name, "text/csv")})
    assert answer.status_code in (200, 400, 415), answer.get_data(as_text=True)
    if answer.status_code == 200:
        assert len(answer.json) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../weights", "http://127.0.0.1:9/x", "someone/else", "./not-here", "~"]
)
@pytest.mark.parametrize("how", ["PUT", "train"])
def test_a_request_names_no_weights(make_client, name, how):
    client = make_client({"sentiment": text_endpoint("sentiment", "./not-here")}, wait=False)
    if how == "PUT":
        answer = client.put("/sentiment", json={"model": name})
    else:
        answer = client.post(
            "/sentiment", query_string={"_action": "train", "model": name}, json=[{"text": "a", "label": 1}]
        )
    assert_problem(answer, 400, "configuration", "kwargs.model.params")


def test_a_download_is_named_plainly(reader):
    for url in ("/titanic?_download", "/titanic?_cache&_format=xlsx"):
        with reader.get(url) as answer:
            header = answer.headers["Content-Disposition"]
        assert header.startswith("attachment; filename=")
        assert not set("/\\\r\n") & set(header.partition("filename=")[2])
