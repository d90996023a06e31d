"""_output, _format and Accept: the caller chooses the answer's shape and format."""

import io
import json

import pandas as pd
import pytest

from server.tables.writing import CONTENT_TYPES
from tests.conftest import ROW, TITANIC_MODEL, titanic_endpoint
from tests.web.conftest import URL, assert_problem
from tests.web.test_get import READ

WOMAN = ROW | {"Sex": "female", "Pclass": 1}
ROWS = [ROW, WOMAN, ROW]


def ask(client, rows=ROWS, headers=None, **options):
    body = json.dumps(rows)  # the client's own json= sorts the columns
    return client.post(URL, query_string=options, data=body, content_type="application/json", headers=headers)


def test_values_are_the_default(reader):
    assert ask(reader).json == ask(reader, _output="values").json == [0, 1, 0]


def test_records_are_the_rows_plus_the_target(reader):
    answer = ask(reader, rows=[ROW | {"colour": "blue"}, WOMAN | {"colour": None}], _output="records")
    assert answer.json == [ROW | {"colour": "blue", "Survived": 0}, WOMAN | {"colour": None, "Survived": 1}]


def test_probabilities_are_named_by_class_and_sum_to_one(reader):
    answer = ask(reader, _output="proba").json
    assert [set(row) for row in answer] == [{"0", "1"}] * 3
    assert all(sum(row.values()) == pytest.approx(1) for row in answer)
    assert [row["1"] > 0.5 for row in answer] == [False, True, False]


def test_a_model_without_probabilities_says_so(make_client):
    client = make_client({"titanic": titanic_endpoint(model=TITANIC_MODEL | {"class": "LinearSVC"})})
    assert_problem(ask(client, _output="proba"), 400, "LinearSVC", "probabilities")


def test_an_unknown_output_is_refused_with_the_nearest(reader):
    assert_problem(ask(reader, _output="probas"), 400, "'probas'", "'proba'")


def test_the_configuration_sets_an_endpoints_output_and_a_request_overrides_it(make_client):
    client = make_client({"titanic": titanic_endpoint(output="records")})
    assert ask(client).json[0] == ROW | {"Survived": 0}
    assert ask(client, _output="values").json == [0, 1, 0]


@pytest.mark.parametrize("name", sorted(READ))
@pytest.mark.parametrize("by", ["_format", "Accept"])
def test_plain_values_become_one_column_named_as_the_target(reader, name, by):
    accept = {"Accept": CONTENT_TYPES[name].split(";")[0]}
    answer = ask(reader, _format=name) if by == "_format" else ask(reader, headers=accept)
    assert answer.content_type == CONTENT_TYPES[name]
    if name == "json":
        assert answer.json == [0, 1, 0]
    else:
        frame = READ[name](io.BytesIO(answer.get_data()))
        assert frame.to_dict("list") == {"Survived": [0, 1, 0]}


@pytest.mark.parametrize("name", sorted(READ))
@pytest.mark.parametrize("output", ["records", "proba"])
def test_records_and_probabilities_come_in_every_format(reader, name, output):
    answer = ask(reader, _output=output, _format=name)
    frame = READ[name](io.BytesIO(answer.get_data()))
    assert len(frame) == 3
    assert [str(column) for column in frame] == ([*ROW, "Survived"] if output == "records" else ["0", "1"])


@pytest.mark.parametrize("name", [name for name in READ if name != "json"])
@pytest.mark.parametrize("output", ["values", "records", "proba"])
def test_no_rows_are_an_empty_table_in_every_format(reader, name, output):
    answer = ask(reader, rows=[], _output=output, _format=name)
    assert answer.status_code == 200
    assert answer.content_type == CONTENT_TYPES[name]


def test_format_wins_over_accept(reader):
    assert ask(reader, headers={"Accept": "text/csv"}, _format="json").json == [0, 1, 0]


@pytest.mark.parametrize("accept", ["*/*", "application/pdf", "text/html,application/xhtml+xml;q=0.9", ""])
def test_json_is_sent_when_nothing_acceptable_is_offered(reader, accept):
    answer = ask(reader, headers={"Accept": accept})
    assert (answer.content_type, answer.json) == ("application/json", [0, 1, 0])


def test_the_best_of_several_accepted_is_sent(reader):
    answer = ask(reader, headers={"Accept": "application/json;q=0.5, text/csv;q=0.9, */*;q=0.1"})
    assert answer.content_type == CONTENT_TYPES["csv"]


@pytest.mark.parametrize(("name", "nearest"), [("xslx", "xlsx"), ("cvs", "csv"), ("h5", "parquet"), ("pickle", "csv")])
def test_an_unknown_format_is_refused_with_those_known(reader, name, nearest):
    assert_problem(ask(reader, _format=name), 400, repr(name), nearest)


def test_missing_cells_are_null_and_never_nan(reader):
    answer = ask(reader, rows=[ROW | {"Age": None, "Cabin": None}], _output="records")
    row = json.loads(answer.get_data(), parse_constant=pytest.fail)[0]
    assert row["Age"] is None
    assert row["Survived"] in (0, 1)


def test_learned_attributes_that_are_not_finite_are_null(client):
    client.put(f"{URL}?class=StandardScaler&include=Age&include=Fare&dropna=true&target_col=")
    client.post(f"{URL}?_action=train")
    assert isinstance(json.loads(client.get(f"{URL}?_params").get_data(), parse_constant=pytest.fail), dict)


def test_an_xlsx_of_values_opens_in_a_spreadsheet(reader):
    answer = ask(reader, _format="xlsx")
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert pd.read_excel(io.BytesIO(answer.get_data())).shape == (3, 1)
