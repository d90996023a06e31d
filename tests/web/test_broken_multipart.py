"""A multipart body that cannot be taken apart is refused; it never means "no rows"."""

import pytest

from tests.conftest import titanic_endpoint
from tests.web.conftest import assert_problem

# Werkzeug leaves the file of an unfinished part to the garbage collector.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PART = b'--q\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nSex,Age\nmale,22'


@pytest.mark.parametrize("action", ["predict", "score", "append", "train", "retrain"])
@pytest.mark.parametrize(
    ("content_type", "body"),
    [("multipart/form-data", b"Sex,Age\nmale,22\n"), ("multipart/form-data; boundary=q", PART)],
    ids=["no boundary", "cut short"],
)
def test_a_broken_multipart_body_is_400_and_changes_nothing(client, action, content_type, body):
    before = client.get("/titanic?_params").get_json()
    answer = client.post(f"/titanic?_action={action}", data=body, content_type=content_type)
    assert answer.status_code == 400
    assert "multipart" in answer.get_json()["detail"]
    assert client.get("/titanic?_params").get_json() == before


@pytest.mark.parametrize("told", ["", "; name", '; name="', '; name="a\nb"'])
def test_a_part_whose_name_cannot_be_read_is_400(client, told):
    body = f"--q\r\nContent-Disposition: form-data{told}\r\n\r\n71\r\n--q--\r\n".encode()
    answer = client.post("/titanic", data=body, content_type="multipart/form-data; boundary=q")
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert "no name" in answer.json["detail"]


def test_nested_cells_are_no_text(client, titanic):
    row = titanic.iloc[0].drop("Cabin").to_dict() | {"Cabin": {"deck": 1}}
    assert client.post("/titanic?_action=append", json=[row]).status_code == 409
    answer = client.post("/titanic", json=[row | {"Sex": ["male"]}])
    assert (answer.status_code, "Sex" in answer.get_json()["detail"]) == (400, True)


def test_a_row_of_many_columns_may_come_as_parts_of_a_form(client, titanic):
    row = {name: str(cell) for name, cell in titanic.iloc[0].items()} | {f"c{number}": "1" for number in range(2000)}
    answer = client.post("/titanic", data=row, content_type="multipart/form-data")
    assert (answer.status_code, answer.json) == (200, [0])


def test_a_form_of_too_many_parts_is_413_and_names_the_limit(make_client):
    client = make_client({"titanic": titanic_endpoint()}, limits={"columns": 1200})
    answer = client.post("/titanic", data={f"c{n}": "1" for n in range(1201)}, content_type="multipart/form-data")
    assert_problem(answer, 413, "more than 1200 parts", "server.limits.columns")
