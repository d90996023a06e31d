"""`curl -d @file` labels any file as a form, and strips its line breaks and NULs."""

import io
import json

import pandas as pd
import pytest

from tests.conftest import ROOT, ROW
from tests.web.conftest import FORM, URL, assert_problem

pytestmark = pytest.mark.slow

CSV = (ROOT / "data" / "titanic.csv").read_bytes()
REMEDIES = ("--data-binary", "-F file=@")


def stripped(content: bytes) -> bytes:
    """What curl's -d makes of a file."""
    return content.translate(None, b"\r\n\0")


def xlsx() -> bytes:
    file = io.BytesIO()
    pd.read_csv(io.BytesIO(CSV)).head(20).to_excel(file, index=False)
    return file.getvalue()


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("lines", [False, True], ids=["json", "json lines"])
def test_json_is_read_by_content(reader, indent, lines):
    rows = [ROW, ROW | {"Sex": "female", "Pclass": 1}]
    text = "\n".join(json.dumps(row, indent=indent) for row in rows) if lines else json.dumps(rows, indent=indent)
    answer = reader.post(f"{URL}?_action=predict", data=stripped(text.encode()), content_type=FORM)
    assert answer.json == [0, 1]


def test_json_sent_so_can_be_trained_on(client, titanic):
    body = stripped(titanic.to_json(orient="records").encode())
    answer = client.post(f"{URL}?_action=retrain&target_col=Survived", data=body, content_type=FORM)
    assert 0.78 < answer.json["score"] < 0.85


@pytest.mark.parametrize("action", ["predict", "score", "append", "retrain"])
@pytest.mark.parametrize("content", [CSV, xlsx()], ids=["csv", "xlsx"])
def test_a_csv_or_xlsx_sent_so_names_the_remedies(client, unchanged, action, content):
    with unchanged(client):
        answer = client.post(f"{URL}?_action={action}", data=stripped(content), content_type=FORM)
        assert_problem(answer, 400, *REMEDIES)


@pytest.mark.parametrize(
    "text",
    [
        "Sex,Age\nmale,22\n",
        "Sex,Age,Name\nmale,22,a=b\nfemale,30,c=d\n",
        "Sex;Age;Name\nmale;22;a=b\n",
        "text,label\nis 1=1?,yes\n",
    ],
)
def test_a_csv_with_an_equals_sign_sent_so_names_the_remedies(reader, text):
    assert_problem(reader.post(URL, data=stripped(text.encode()), content_type=FORM), 400, *REMEDIES)


def test_the_remedies_work(reader):
    assert len(reader.post(URL, data=CSV, content_type="text/csv").json) == 891
    assert len(reader.post(URL, data={"file": (io.BytesIO(xlsx()), "titanic.xlsx")}).json) == 20


@pytest.mark.parametrize("content", [CSV, xlsx()], ids=["csv", "xlsx"])
def test_data_binary_labelled_as_a_form_is_read_or_names_the_content_type(reader, content):
    answer = reader.post(URL, data=content, content_type=FORM)
    if answer.status_code != 200:
        assert_problem(answer, 400, *REMEDIES, "Content-Type")


@pytest.mark.parametrize("view", ["_model", "_params", "_cache", "_download"])
def test_a_body_beside_a_view_means_nothing(reader, view):
    with_body = reader.get(f"{URL}?{view}", data=stripped(CSV), content_type=FORM)
    without = reader.get(f"{URL}?{view}")
    assert (with_body.status_code, with_body.get_data()) == (200, without.get_data())
    with_body.close()
    without.close()
