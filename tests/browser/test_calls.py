"""The calls that the page writes down: run as they stand, they send what the page would send."""

import ast
import json
import subprocess
import sys
import threading

import pytest
import requests
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from tests.browser.conftest import answer, tab
from tests.conftest import ROOT

pytestmark = pytest.mark.live
AWKWARD = {
    "quotes": 'it\'s "quoted" \\ twice \\\\',
    "shell": "$HOME `id` $(id) !! * ~ ; & | < > # {a,b}",
    "lines": "one\ntwo\ttabs",
    "unicode": "ünïcode € 日本 🚢 \u2028",
    "url": "a=b&c+d%41#e?f",
    "reads a file": "@/etc/hostname",
    "nothing": "",
}
NAMES = ["plain", "with space", "it's", 'a"b', "a=b", "a&b", "$x", "ü"]
FILE = "rows; \"of\" 'it', all.csv"


@pytest.fixture(scope="module")
def echo():
    """A server that remembers what it was sent."""
    seen = []

    @Request.application
    def application(request):
        files = [file.read().decode() for _, file in request.files.items(multi=True)]
        seen.append(
            {
                "method": request.method,
                "query": list(request.args.items(multi=True)),
                "fields": list(request.form.items(multi=True)),
                "files": files,
                "json": json.loads(request.get_data()) if request.is_json else None,
            }
        )
        return Response("[0]", content_type="application/json")

    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/it's", seen
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def written(server, visit):
    """The text of a call in a language."""
    page = visit(f"{server.url}/titanic")
    script = page.evaluate("document.querySelector('script[type=module]').src.replace('page.js', 'calls.js')")

    def write(language, **call):
        call = {"method": "POST", "query": [], "fields": [], "files": []} | call
        return page.evaluate(
            "async ([script, language, call]) => (await import(script)).LANGUAGES[language](call)",
            [script, language, call],
        )

    return write


def run(language, text, folder):
    command = ["bash", "-c", text] if language == "curl" else [sys.executable, "-c", text]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("language", ["curl", "Python"])
def test_any_value_of_a_query_arrives_as_it_is(echo, written, tmp_path, language):
    url, seen = echo
    query = [[name, value] for name, value in zip(NAMES, AWKWARD.values(), strict=False)]
    run(language, written(language, method="GET", url=url, query=query), tmp_path)
    assert seen[-1]["method"] == "GET"
    assert [list(pair) for pair in seen[-1]["query"]] == query


@pytest.mark.parametrize("language", ["curl", "Python"])
@pytest.mark.parametrize("files", [(), (FILE,), (FILE, "two.csv")], ids=len)
def test_any_field_and_file_arrives_as_it_is(echo, written, tmp_path, language, files):
    url, seen = echo
    for name in files:
        (tmp_path / name).write_text(name)
    fields = [["class", value] for value in AWKWARD.values()]
    call = {"url": url, "query": [["_action", "train"]], "fields": fields, "files": [{"name": name} for name in files]}
    run(language, written(language, **call), tmp_path)
    assert seen[-1]["query"] == [("_action", "train")]
    sent = [[name, value.replace("\r\n", "\n")] for name, value in seen[-1]["fields"]]
    assert sent == fields
    assert seen[-1]["files"] == list(files)


@pytest.mark.parametrize("language", ["curl", "Python"])
def test_any_cell_of_a_posted_row_arrives_as_it_is(echo, written, tmp_path, language):
    url, seen = echo
    rows = [AWKWARD | {"_private": 1.5, "missing": None, "flag": True}]
    run(language, written(language, url=url, json=rows), tmp_path)
    assert seen[-1]["json"] == rows


def test_the_javascript_sends_the_same(server, visit, written):
    query = [[name, value] for name, value in zip(NAMES, AWKWARD.values(), strict=False)]
    rows = [AWKWARD | {"missing": None}]
    page = visit(f"{server.url}/titanic")
    spied = """async (text) => {
        const sent = [];
        const fetch = async (url, options) => { sent.push([url, options]); return {ok: true, json: async () => [0]}; };
        const AsyncFunction = (async () => {}).constructor;
        await new AsyncFunction("fetch", "console", text)(fetch, {log() {}});
        const [[url, options]] = sent;
        return {pairs: [...new URL(url).searchParams], body: String(options?.body ?? "")};
    }"""
    got = page.evaluate(spied, written("JavaScript", method="GET", url="http://127.0.0.1/x", query=query))
    assert got["pairs"] == query
    got = page.evaluate(
        spied, written("JavaScript", url="http://127.0.0.1/x", query=[["_output", "values"]], json=rows)
    )
    assert (json.loads(got["body"]), got["pairs"]) == (rows, [["_output", "values"]])


@pytest.mark.parametrize("language", ["curl", "Python"])
@pytest.mark.parametrize("name", ["titanic", "components", "hostile", "wide"])
def test_the_call_for_a_row_gives_the_answer_of_the_form(server, visit, tmp_path, name, language):
    page = visit(f"{server.url}/{name}")
    page.click(f"[data-language={language}]")
    text = answer(page)
    said = run(language, page.text_content("#call"), tmp_path)
    (got,) = json.loads(said) if language == "curl" else ast.literal_eval(said)
    for value in got if isinstance(got, list) else [got]:
        assert (f"{value:.6g}"[:5] if isinstance(value, float) else str(value)) in text


def test_the_call_for_a_file_names_the_file_that_was_chosen(server, visit, tmp_path):
    (tmp_path / FILE).write_bytes((ROOT / "data" / "titanic.csv").read_bytes())
    page = visit(f"{server.url}/titanic")
    tab(page, "rows")
    assert "file=@rows.csv" in page.inner_text("#call")
    page.set_input_files("#rows-files", tmp_path / FILE)
    answers = json.loads(run("curl", page.text_content("#call"), tmp_path))
    with (ROOT / "data" / "titanic.csv").open("rb") as file:
        assert answers == requests.post(f"{server.url}/titanic", files={"file": file}, timeout=60).json()


def test_a_call_is_copied(server, visit):
    page = visit(f"{server.url}/titanic", permissions=["clipboard-read", "clipboard-write"])
    page.click("#copy")
    page.wait_for_selector("#copy:text-is('Copied')")
    assert page.evaluate("navigator.clipboard.readText()") == page.text_content("#call")
