"""The server's own description: valid, typed by each model, true of its answers, and new after each training."""

import json
import re

import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator

from server.config import hash_of
from server.errors import ConfigError
from server.web.security import OPEN
from tests.conftest import ROW, titanic_endpoint, wait_until_ready
from tests.registering import flower, registry
from tests.web.classifying import classifier_entry
from tests.web.conftest import assert_problem
from tests.web.reading import Page

pytestmark = pytest.mark.slow
IRIS = {"data": "$YAMLPATH/data/iris.csv", "model": {"class": "LogisticRegression", "target_col": "species"}}
PETALS = {"data": "$YAMLPATH/data/iris.csv", "model": {"class": "Ridge", "target_col": "petal_width"}}
# Machinery of the pages, which no program asks for.
OF_PAGES = {"static_file", "login", "logout"}
VERBS = ("get", "post", "put", "patch", "delete")


def ml(pattern, kwargs, handler="MLHandler"):
    return {"pattern": pattern, "handler": handler, "kwargs": kwargs}


def described(client, path="/openapi.json", **headers):
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json


def parameters(document, path, verb="get"):
    return {one["name"]: one for one in document["paths"][path][verb]["parameters"]}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A server with endpoints of every kind."""
    from tests.registering import write_models
    from tests.web.conftest import build

    folder = tmp_path_factory.mktemp("many")
    (folder / "documents").mkdir()
    write_models(folder)
    url = {"titanic": titanic_endpoint(), "a/b ü": ml("/iris", IRIS), "petals": ml("/petals", PETALS)}
    url |= {"documents": classifier_entry(), "api": registry()}
    client = build(folder, url)
    wait_until_ready(client)
    return client


@pytest.fixture(scope="module")
def document(many):
    return described(many)


def test_the_document_is_valid(document):
    assert document["openapi"] == "3.1.0"
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def rules(app: Flask):
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in OF_PAGES:
            yield re.sub(r"<(\w+)>", r"{\1}", rule.rule), {verb.lower() for verb in rule.methods} & set(VERBS)


def test_every_address_and_method_of_the_server_is_described(many, document):
    expected = {(path, verb) for path, verbs in rules(many.application) for verb in verbs}
    assert {(path, verb) for path, verbs in document["paths"].items() for verb in verbs} == expected


def test_below_a_prefix_every_address_is_described_as_well(make_client):
    client = make_client({"titanic": titanic_endpoint()}, base_url="ml")
    expected = {(path, verb) for path, verbs in rules(client.application) for verb in verbs}
    for place in ("/ml/openapi.json", "/openapi.json"):
        document = described(client, place)
        assert {(path, verb) for path, verbs in document["paths"].items() for verb in verbs} == expected
        assert not list(OpenAPIV31SpecValidator(document).iter_errors())


def test_the_path_before_the_server_is_told(many):
    answer = many.get("/openapi.json", environ_overrides={"SCRIPT_NAME": "/before"})
    assert answer.json["servers"] == [{"url": "/before"}]
    assert described(many)["servers"] == [{"url": "/"}]


def test_each_column_has_its_type_its_categories_and_a_real_cell(document):
    row = document["components"]["schemas"]["titanic.Row"]
    assert row["required"] == ["Pclass", "Sex", "Age", "SibSp", "Parch", "Fare", "Embarked"]
    age, sex, siblings = (row["properties"][name] for name in ("Age", "Sex", "SibSp"))
    assert age == {
        "anyOf": [{"type": "number"}, {"type": "null"}], "description": "in training from 0.42 to 80",
    }  # fmt: skip
    # A category that training did not see is no error, so the others do not forbid it.
    assert sex["anyOf"][0]["anyOf"] == [{"enum": ["female", "male"]}, {"type": "string"}]
    assert siblings["anyOf"][0]["anyOf"][1] == {"type": "number"}
    assert parameters(document, "/titanic")["Sex"]["example"] == row["examples"][0]["Sex"]


@pytest.mark.parametrize("name", ["titanic", "a-b", "petals"])
def test_the_example_row_predicts_by_both_doors_what_is_described(many, document, name):
    path = {"a-b": "/iris"}.get(name, f"/{name}")
    schemas = document["components"]["schemas"]
    row = schemas[f"{name}.Row"]["examples"][0]
    query = {one["name"]: one["example"] for one in parameters(document, path).values() if one["name"] in row}
    by_get, by_post = many.get(path, query_string=query), many.post(path, json=row)
    assert by_get.status_code == by_post.status_code == 200
    assert by_get.json == by_post.json
    prediction = schemas[f"{name}.Prediction"]
    if "enum" in prediction:
        assert by_get.json[0] in prediction["enum"]
    else:
        assert isinstance(by_get.json[0], float)


def test_the_labels_of_a_classifier_are_those_of_its_target(document):
    assert document["components"]["schemas"]["titanic.Prediction"] == {"enum": [0, 1]}
    assert document["components"]["schemas"]["a-b.Prediction"] == {"enum": ["setosa", "versicolor", "virginica"]}


def test_an_unseen_category_fits_what_is_described_and_is_answered(many):
    assert many.get("/titanic", query_string=ROW | {"Embarked": "Atlantis"}).status_code == 200


def test_the_document_stays_until_a_model_is_trained_anew(make_client):
    client = make_client({"petals": ml("/petals", PETALS)})
    first = client.get("/openapi.json")
    assert client.get("/openapi.json").headers["ETag"] == first.headers["ETag"]
    same = client.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.data) == (304, b"")
    assert client.put("/petals?class=LogisticRegression&target_col=species&_action=train").status_code == 200
    after = client.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert after.json["components"]["schemas"]["petals.Prediction"] == {"enum": ["setosa", "versicolor", "virginica"]}
    assert "petal_width" in after.json["components"]["schemas"]["petals.Row"]["required"]


def test_nothing_is_made_twice_for_one_model(make_client, monkeypatch):
    from server.web.openapi import document

    client = make_client({"petals": ml("/petals", PETALS)})
    made = []
    original = document.description
    monkeypatch.setattr(document, "description", lambda *given: made.append(given) or original(*given))
    for _ in range(3):
        described(client)
    assert len(made) == 1


def test_rows_that_were_deleted_are_not_shown_any_longer(make_client):
    client = make_client({"titanic": titanic_endpoint()})
    before = described(client)["components"]["schemas"]["titanic.Row"]["examples"]
    assert client.delete("/titanic?_cache").status_code == 200
    assert described(client)["components"]["schemas"]["titanic.Row"]["examples"] != before


def test_a_redacted_column_shows_nothing_that_training_saw(make_client):
    client = make_client({"titanic": titanic_endpoint()}, requests={"redact": ["Fare", "Sex"]})
    document = described(client)
    row = document["components"]["schemas"]["titanic.Row"]
    assert row["properties"]["Fare"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}
    assert "female" not in json.dumps(document)
    assert (row["examples"][0]["Fare"], row["examples"][0]["Sex"]) == (0, "text")
    assert client.post("/titanic", json=row["examples"][0]).status_code == 200


def test_the_labels_of_a_redacted_target_are_not_named(make_client):
    endpoint = ml("/iris", IRIS)
    named = json.dumps(described(make_client({"iris": endpoint})))
    hidden = described(make_client({"iris": endpoint}, requests={"redact": [IRIS["model"]["target_col"]]}))
    assert "versicolor" in named
    assert "versicolor" not in json.dumps(hidden)
    assert not list(OpenAPIV31SpecValidator(hidden).iter_errors())


def test_that_figures_may_not_be_had_is_described(document):
    assert "503" in document["paths"]["/metrics"]["get"]["responses"]


def test_an_endpoint_without_a_model_is_described(make_client):
    client = make_client({"empty": ml("/empty", {})}, wait=False)
    document = described(client)
    assert not list(OpenAPIV31SpecValidator(document).iter_errors())
    assert document["components"]["schemas"]["empty.Row"] == {"type": "object", "properties": {}, "required": []}


def test_a_bad_request_is_told_as_described(many, document):
    told = document["paths"]["/titanic"]["get"]["responses"]["400"]["content"]
    assert told["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
    answer = assert_problem(many.get("/titanic?Age=1"), 400)
    assert set(document["components"]["schemas"]["Problem"]["required"]) == set(answer)


KEYS = [
    {"name": "all", "hash": hash_of("all's"), "scopes": ["read", "predict", "train", "admin"]},
    {"name": "one", "hash": hash_of("one's"), "scopes": ["read"], "endpoints": ["petals"]},
    {"name": "asks", "hash": hash_of("asks's"), "scopes": ["predict"]},
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    from server.app import create_app
    from server.config import load_config
    from tests.conftest import BriefRunner, wait_until_ready, write_config

    folder = tmp_path_factory.mktemp("guarded")
    url = {"titanic": titanic_endpoint(), "petals": ml("/petals", PETALS)}
    client = create_app(load_config(write_config(folder, {"url": url, "server": {"keys": KEYS}}), {}), BriefRunner())
    client.testing = False
    client = client.test_client()
    wait_until_ready(client)
    return client


def test_with_keys_the_document_asks_for_one(guarded):
    for path in ("/openapi.json", "/docs"):
        assert_problem(guarded.get(path), 401)
        assert_problem(guarded.get(path, headers={"X-API-Key": "asks's"}), 403, "scope read")


def test_with_keys_the_document_says_how_one_is_sent(guarded):
    document = described(guarded, **{"X-API-Key": "all's"})
    assert not list(OpenAPIV31SpecValidator(document).iter_errors())
    assert document["security"] == [{"bearer": []}, {"key": []}]
    schemes = document["components"]["securitySchemes"]
    assert (schemes["bearer"]["scheme"], schemes["key"]["name"]) == ("bearer", "X-API-Key")
    for path, verbs in document["paths"].items():
        for operation in verbs.values():
            # /ping has a second name.
            if operation["operationId"] in OPEN | {"mlflow_health"}:
                assert operation["security"] == []
            else:
                assert {"401", "403"} <= operation["responses"].keys(), path


def test_without_keys_none_is_asked_for(document):
    assert "security" not in document
    assert "401" not in document["paths"]["/titanic"]["get"]["responses"]


def test_a_key_sees_the_endpoints_that_it_opens(guarded):
    document = described(guarded, **{"X-API-Key": "one's"})
    assert "/petals" in document["paths"]
    assert "/titanic" not in document["paths"]
    assert "titanic" not in json.dumps(document)
    assert "/titanic" in described(guarded, **{"X-API-Key": "all's"})["paths"]


@pytest.mark.parametrize("pattern", ["/openapi.json", "/docs", "/ml/docs", "/ml/openapi.json"])
def test_an_endpoint_cannot_take_their_places(make_client, pattern):
    with pytest.raises(ConfigError, match="belongs to the server itself"):
        make_client({"mine": ml(pattern, {})}, base_url="ml")


def test_the_page_is_drawn_by_the_servers_own_copy_of_swagger_ui(many):
    answer = many.get("/docs")
    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    page = Page(answer.text)
    assert page.heading == "API"
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "docs.js"):
        url = next(url for url in page.resources if url.endswith(name))
        with many.get(url) as file:
            assert file.status_code == 200
    with many.get(url.replace("docs.js", "swagger-ui.LICENSE")) as licence:
        assert "Apache License" in licence.text


def test_the_index_and_each_page_lead_to_it(many):
    assert "/docs" in Page(many.get("/").text).links
    assert {"/docs", "/docs#/a%2Fb%20%C3%BC"} <= set(Page(many.get("/iris").text).links)


def test_a_prediction_of_the_registry_is_what_is_described(many, document):
    answers = document["paths"]["/api/v1/{endpoint_name}/predict"]["post"]["responses"]
    answer = many.post("/api/v1/iris/predict", json=flower()).json
    assert set(answers["200"]["content"]["application/json"]["schema"]["required"]) <= set(answer)
    assert parameters(document, "/api/v1/{endpoint_name}/predict", "post")["endpoint_name"]["schema"] == {
        "enum": ["diabetes", "iris"]
    }
