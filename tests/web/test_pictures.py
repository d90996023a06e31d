"""GET ?_picture: an SVG that is sent again only when it has changed, and a reason where there is none."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from tests.conftest import ROOT
from tests.web.conftest import URL, assert_problem
from tests.web.reading import Page

pytestmark = pytest.mark.slow

HOSTILE = "<script>alert(1)</script>"


def test_a_picture_is_an_svg_document_in_which_nothing_may_run(reader):
    answer = reader.get(f"{URL}?_picture=roc_curve")
    assert (answer.status_code, answer.content_type) == (200, "image/svg+xml; charset=utf-8")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert ElementTree.fromstring(answer.data).tag == "{http://www.w3.org/2000/svg}svg"


def test_a_picture_that_has_not_changed_is_not_sent_again(client):
    tag = client.get(f"{URL}?_picture=coefficients").headers["ETag"]
    again = client.get(f"{URL}?_picture=coefficients", headers={"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert client.post(f"{URL}?_action=retrain&C=0.01").status_code == 200
    changed = client.get(f"{URL}?_picture=coefficients", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


@pytest.mark.parametrize(
    ("name", "words"), [("roc", "roc_curve"), ("clusters", "confusion_matrix"), ("", "coefficients")]
)
def test_a_picture_that_the_model_does_not_have_is_refused_with_those_it_has(reader, name, words):
    assert_problem(reader.get(f"{URL}?_picture={name}"), 400, f"LogisticRegression has no picture {name!r}", words)


def test_a_picture_comes_in_its_usual_shape_or_twice_as_wide(reader):
    usual, named, wide = (
        ElementTree.fromstring(reader.get(f"{URL}?_picture=roc_curve{shape}").data).attrib
        for shape in ("", "&_shape=usual", "&_shape=wide")
    )
    assert usual == named
    assert [float(shape["width"].removesuffix("pt")) for shape in (usual, wide)] == pytest.approx([345.6, 691.2])
    assert wide["height"] == usual["height"]
    assert_problem(reader.get(f"{URL}?_picture=roc_curve&_shape=square"), 400, "unknown _shape 'square'", "usual, wide")


def test_pictures_have_the_colour_of_the_pages(reader):
    page = Page(reader.get(URL).text)
    with reader.get(next(url for url in page.resources if url.endswith("page.css"))) as answer:
        light = answer.text.partition("--accent: ")[2].partition(";")[0]
    assert f"stroke: {light}" in reader.get(f"{URL}?_picture=roc_curve").text


def test_an_option_beside_it_is_refused_with_the_nearest(reader):
    assert_problem(reader.get(f"{URL}?_picture=roc_curve&_formt=csv"), 400, "_formt")
    assert_problem(reader.get(f"{URL}?_pictur=roc_curve"), 400, "_pictur", "'_picture'")


def test_without_a_model_there_is_no_picture(make_client):
    client = make_client({"empty": {"pattern": "/empty", "handler": "MLHandler"}})
    assert_problem(client.get("/empty?_picture=roc_curve"), 404, "_action=train")


def test_without_rows_the_answer_says_what_to_do(client):
    assert client.delete(f"{URL}?_cache").status_code == 200
    assert_problem(client.get(f"{URL}?_picture=roc_curve"), 400, "no rows", "append", "_action=train")


def test_a_column_and_a_class_named_as_a_script_come_out_as_text(make_client):
    client = make_client({"mine": {"pattern": "/mine", "handler": "MLHandler"}})
    rows = [{HOSTILE: i % 5, "y": f"{HOSTILE}{i % 2}"} for i in range(30)]
    trained = client.post("/mine?_action=train&class=LogisticRegression&target_col=y", json=rows)
    assert trained.status_code == 200
    for name in ("confusion_matrix", "roc_curve", "coefficients"):
        answer = client.get(f"/mine?_picture={name}")
        assert b"<script" not in answer.data
        assert b"&lt;script&gt;" in answer.data
        ElementTree.fromstring(answer.data)


def test_a_server_that_shows_no_picture_does_not_load_what_draws_them(tmp_path):
    code = f"""
import sys
from pathlib import Path
from tests.conftest import ROW, titanic_endpoint
from tests.web.conftest import URL, build

client = build(Path({str(tmp_path)!r}), {{"titanic": titanic_endpoint()}})
loaded = lambda: ["matplotlib" in sys.modules, "matplotlib.pyplot" in sys.modules]
print(client.get(URL, query_string=ROW).json, client.get(URL).status_code, *loaded())
print(client.get(URL + "?_picture=roc_curve").status_code, *loaded())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[0]", "200", "False", "False", "200", "True", "False"]
