"""A user's own page: the guide's examples, what a template sees, and where an error is."""

import importlib
import os
import time

import joblib
import pandas as pd
import pytest

from tests.conftest import titanic_endpoint
from tests.web.conftest import URL, assert_problem, state_of

pytestmark = pytest.mark.slow

# The guide's examples.
GUIDE = "{{ handler.model.get_params() }}|{{ handler.model.__class__.__name__ }}|{{ data.columns | join(',') }}"


@pytest.fixture
def write(tmp_path):
    """Write a template, later than whatever was there."""

    def write(text, name="template.html"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        os.utime(path, ns=(time.time_ns(), time.time_ns()))
        return path

    return write


@pytest.fixture
def page(make_client, write):
    """What the titanic endpoint shows with this template; one server for all pages of a test."""
    clients = []

    def page(text, query="", **kwargs):
        write(text)
        if not clients or kwargs:
            clients.append(make_client({"titanic": titanic_endpoint(template="template.html", **kwargs)}))
        return clients[-1].get(f"{URL}{query}")

    return page


def shown(answer):
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.content_type == "text/html; charset=utf-8"
    return answer.get_data(as_text=True)


@pytest.mark.parametrize("place", ["kwargs", "beside handler"])
def test_the_guides_examples_in_either_place(make_client, write, place):
    path = write(GUIDE).name
    entry = titanic_endpoint(template=path) if place == "kwargs" else titanic_endpoint() | {"template": path}
    text = shown(make_client({"titanic": entry}).get(URL))
    parameters, name, columns = text.split("|")
    assert "&#39;C&#39;: 1.0" in parameters
    assert (name, columns.split(",")[:2]) == ("LogisticRegression", ["PassengerId", "Survived"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ handler.name }} {{ handler.path }}", "titanic /titanic"),
        ("{{ handler.store.target_col }} {{ handler.store['class'] }}", "Survived LogisticRegression"),
        ("{{ handler.store.load('class') }} {{ handler.store.load('nothing', 7) }}", "LogisticRegression 7"),
        ("{{ handler.store.cats | join(' ') }}", "Embarked SibSp Parch Pclass Sex"),
        ("{{ handler.store.load('transform').exclude[0] }}", "PassengerId"),
        ("{{ handler.store.model_kwargs() }}", "{}"),
        ("{{ handler.model.coef_.shape == (1, handler.model.n_features_in_) }}", "True"),
        ("{{ data.shape }} {{ data | length }} {{ data['Sex'].nunique() }}", "(891, 12) 891 2"),
        ("{% for name, row in data.head(2).iterrows() %}{{ row.Sex }},{% endfor %}", "male,female,"),
        ("{% if data.empty %}none{% else %}some{% endif %}", "some"),
        ("{{ '%.2f' | format(data.Fare.mean()) }}", "32.20"),
        ("{% set x = 2 %}{{ x * 3 }}", "6"),
    ],
)
def test_what_a_template_sees(page, text, expected):
    assert shown(page(text)) == expected


def test_an_error_calls_things_by_the_names_that_a_template_knows(page):
    for text, name in (("{{ data.nope.x }}", "'data'"), ("{{ handler.modl }}", "'handler'")):
        answer = page(text)
        assert answer.status_code == 500
        assert f"{name} has no attribute" in answer.get_json()["detail"]


def test_a_template_that_is_edited_shows_at_the_next_request(page):
    assert [shown(page(text)) for text in ("one", "two", "six")] == ["one", "two", "six"]


def test_names_and_cells_are_escaped(make_client, write, tmp_path):
    (tmp_path / "data").mkdir()
    evil = "<script>alert(1)</script>"
    pd.DataFrame({evil: [1, 2, 3, 4], "y": ["<b>", "a", "<b>", "a"]}).to_csv(
        tmp_path / "data" / "evil.csv", index=False
    )
    write(
        "{% for name in data.columns %}{{ name }}{% endfor %}{{ data.y.tolist() }}{{ handler.model.classes_ }}"
        "{{ data.to_html() | safe }}{{ handler.store.load('target_col') }}"
    )
    model = {"class": "LogisticRegression", "target_col": "y"}
    client = make_client({"titanic": titanic_endpoint(data="data/evil.csv", model=model, template="template.html")})
    text = shown(client.get(URL))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert not [tag for tag in ("<script", "<b>") if tag in text]


# Without a model, or without data.


def test_without_a_model_everything_asked_of_it_is_empty(make_client, write):
    write(
        "[{{ handler.model }}{{ handler.model.get_params() }}{{ handler.model.coef_[0][1].round(2) }}"
        "{% for name, value in handler.model.get_params().items() %}x{% endfor %}"
        "{% if handler.model %}x{% endif %}]{{ data | length }}{{ handler.store.load('class') }}"
    )
    client = make_client({"titanic": {"pattern": URL, "handler": "MLHandler", "kwargs": {"template": "template.html"}}})
    assert shown(client.get(URL)) == "[]0None"


@pytest.mark.parametrize(
    "asked",
    [
        "handler.model.__class__.__name__",
        "handler.model.score_ | round(2)",
        "100 * handler.model.score_ - 1",
        "-handler.model.coef_[0] / 2 ** handler.model.n",
        "handler.model.score_ | abs",
        "'{:.2f}'.format(handler.model.score_)",
        "handler.model.steps | map(attribute='name') | join(', ')",
        "'good' if handler.model.score_ >= 0.8",
    ],
)
def test_without_a_model_what_is_computed_of_it_is_empty(make_client, write, asked):
    write(f"[{{{{ {asked} }}}}]")
    client = make_client({"titanic": {"pattern": URL, "handler": "MLHandler", "kwargs": {"template": "template.html"}}})
    assert shown(client.get(URL)) == "[]"


def test_without_a_model_a_number_with_decimals_is_none(make_client, write):
    write("{{ '%.2f' | format(handler.model.score_) }}")
    client = make_client({"titanic": {"pattern": URL, "handler": "MLHandler", "kwargs": {"template": "template.html"}}})
    assert shown(client.get(URL)) == "nan"


def test_after_the_model_and_the_data_are_deleted(make_client, write):
    write("[{{ handler.model.get_params() }}]{{ data | length }}{{ data.columns | list }}")
    client = make_client({"titanic": titanic_endpoint(template="template.html")})
    client.delete(f"{URL}?_model")
    assert shown(client.get(URL)).startswith("[]891")
    client.delete(f"{URL}?_cache")
    assert shown(client.get(URL)) == "[]0[]"


def test_with_a_model_that_cannot_be_read(make_client, write, tmp_path):
    write("[{{ handler.model.get_params() }}]{{ data | length }}")
    client = make_client({"titanic": titanic_endpoint(template="template.html")})
    (tmp_path / "models" / "titanic" / "model.pkl").write_bytes(b"no pickle")
    assert shown(client.get(URL)) == "[]891"


def test_with_data_that_are_missing(make_client, write):
    write("{{ data | length }}{% if data.empty %} none{% endif %}")
    entry = titanic_endpoint(template="template.html", data="data/nowhere.csv")
    client = make_client({"titanic": entry}, wait=False)
    assert shown(client.get(URL)) == "0 none"
    assert client.get("/readyz").status_code == 503


# Errors: 500, with file and line.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n{{ nothing }}", ["template.html, line 2", "'nothing' is undefined"]),
        ("\n\n{{ 1 / 0 }}", ["template.html, line 3", "ZeroDivisionError"]),
        ("{{ handler.model.nothing }}", ["template.html, line 1", "has no attribute 'nothing'"]),
        ("{{ data['nothing'].mean() }}", ["template.html, line 1", "nothing"]),
        ("\n{% if x %}", ["template.html, line 2", "Unexpected end of template"]),
        ("\n\n{% foo %}", ["template.html, line 3", "unknown tag 'foo'"]),
        ("{{ [x for x in data] }}", ["template.html, line 1", "expected token"]),
        ("\n{% include 'nowhere.html' %}", ["template.html, line 2", "no file 'nowhere.html'"]),
        ("{% include '../secret.html' %}", ["template.html, line 1", "no file '../secret.html'"]),
        (b"\xff\xfe", ["template.html", "cannot be read"]),
    ],
)
def test_an_error_names_file_and_line(page, text, words):
    assert_problem(page(text), 500, *words)


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ("\n\n{{ nothing }}", ["inner.html, line 3", "'nothing' is undefined"]),
        ("\n\n{% foo %}", ["inner.html, line 3", "unknown tag 'foo'"]),
        ("\n\n{% end %}", ["inner.html, line 3", "Tornado"]),
    ],
)
@pytest.mark.parametrize(
    "outer", ["{% include 'inner.html' %}", "{% extends 'inner.html' %}", "{% import 'inner.html' as m %}"]
)
def test_an_error_in_another_file_names_that_one(page, write, outer, inner, words):
    write(inner, "inner.html")
    assert_problem(page("\n" + outer), 500, *words)


def test_an_error_in_a_block_of_an_extended_file_names_the_block(page, write):
    write("{% block body %}{% endblock %}", "base.html")
    answer = page("{% extends 'base.html' %}\n{% block body %}\n{{ nothing }}{% endblock %}")
    assert_problem(answer, 500, "template.html, line 3")
    assert shown(page("{% extends 'base.html' %}{% block body %}fine{% endblock %}")) == "fine"


def test_files_in_a_folder_beside_are_included(page, write):
    write("part", "parts/part.html")
    assert shown(page("{% include 'parts/part.html' %}")) == "part"


def test_an_error_in_a_module_beside_names_the_line_of_the_template(make_client, write, tmp_path, monkeypatch):
    write(
        "class Model:\n    def predict(self, rows):\n        return rows\n\n    def explode(self):\n        1 / 0\n",
        "own.py",
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = importlib.import_module("own")
    joblib.dump(own.Model(), tmp_path / "own.pkl")
    write("one\n{{ handler.model.explode() }}")
    client = make_client({"titanic": titanic_endpoint(data=None, model={"path": "own.pkl"}, template="template.html")})
    assert_problem(client.get(URL), 500, "template.html, line 2: ZeroDivisionError")


@pytest.mark.parametrize(
    ("statement", "remedy"),
    [
        ("{% if data.empty %}x{% end %}", "{% endif %}"),
        ("{% raw data %}", "| safe"),
        ("{% module Template('x.html') %}", "{% include 'file' %}"),
        ("{% apply escape %}x{% end %}", "{% filter name %}"),
        ("{% comment a note %}", "{# … #}"),
        ("{% try %}x{% except %}y{% end %}", "is defined"),
        ("{% while x %}y{% end %}", "{% for x in"),
        ("{% for x in data %}{% break %}{% end %}", "{% for x in"),
        ("{% whitespace oneline %}", "{%- … -%}"),
        ("{% autoescape None %}", "{% autoescape false %}"),
        ("{% import os %}", "{% import 'file' as x %}"),
    ],
)
def test_what_only_tornado_knows_is_reported_with_the_remedy(page, statement, remedy):
    assert_problem(page(f"\n\n{statement}"), 500, "template.html, line 3", "is Tornado's; Jinja2 writes", remedy)


@pytest.mark.parametrize(
    "before",
    [
        "{% autoescape false %}x{% endautoescape %}",
        "{% set file = 'm.html' %}{% from file import m %}",
        "{% raw %}{% end %}{% endraw %}",
        "{# {% end %} #}",
    ],
)
def test_what_jinja_knows_is_not_blamed(page, before):
    document = assert_problem(page(f"{before}\n\n{{% foo %}}"), 500, "line 3", "unknown tag 'foo'")
    assert "Tornado" not in document["detail"]


def test_tornados_autoescape_is_found_where_it_stands(page):
    answer = page("one\n{% autoescape None %}\n{% if data.empty %}x{% endif %}\n\nlast")
    assert_problem(answer, 500, "line 2", "{% autoescape None %} is Tornado's")


def test_other_requests_do_not_know_of_a_broken_template(make_client, write):
    client = make_client({"titanic": titanic_endpoint()})
    before = state_of(client)
    write("{% end %}")
    client = make_client({"titanic": titanic_endpoint(template="template.html")})
    assert state_of(client) == before
    assert client.get("/readyz").status_code == 200
    assert_problem(client.get(URL), 500, "Tornado")
    write("mended")
    assert shown(client.get(URL)) == "mended"


def test_a_missing_template_is_said_and_then_there(make_client, write):
    client = make_client({"titanic": titanic_endpoint(template="template.html")})
    assert_problem(client.get(URL), 500, "template.html does not exist")
    write("here")
    assert shown(client.get(URL)) == "here"


def test_a_template_of_a_text_endpoint_and_of_a_forecast(make_client, write):
    write("{{ handler.model.__class__.__name__ }} {{ data | length }} {{ handler.store.target_col }}")
    forecast = {"class": "SARIMAX", "index_col": "index", "target_col": "R"}
    client = make_client(
        {
            "reviews": {
                "pattern": "/reviews",
                "handler": "TextHandler",
                "kwargs": {"data": "data/reviews.csv", "template": "template.html"},
            },
            "forecast": {
                "pattern": "/forecast",
                "handler": "MLHandler",
                "kwargs": {"data": "data/inflation.csv", "model": forecast, "template": "template.html"},
            },
        }
    )
    assert shown(client.get("/reviews")) == "MultinomialNB 4000 label"
    assert shown(client.get("/forecast")) == "SARIMAXResultsWrapper 107 R"
