"""An endpoint whose first rows come from a database: trained, refused with a reason, without secrets."""

import logging
from urllib.parse import quote

import pandas as pd
import pytest
import sqlalchemy as sa
import yaml

from server.storage.model_store import read_facts
from tests.conftest import ROOT, ROW, titanic_endpoint
from tests.postgres import PASSWORD
from tests.waiting import until

pytestmark = pytest.mark.slow


class Source:
    """A database, and the passengers to put into it."""

    def __init__(self, url, passengers):
        self.url, self._passengers = url, passengers

    def fill(self, table="passengers"):
        engine = sa.create_engine(self.url)
        self._passengers.to_sql(table, engine, index=False, if_exists="replace")
        engine.dispose()

    def drop(self, table="passengers"):
        engine = sa.create_engine(self.url)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table}")
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def source(request, tmp_path, titanic):
    if request.param == "sqlite":
        source = Source(f"sqlite:///{tmp_path / 'titanic.db'}", titanic)
    else:
        source = Source(request.getfixturevalue("postgres").url(), titanic)
    source.drop()
    return source


def endpoint(source, **data):
    return {"titanic": titanic_endpoint(data={"url": source.url} | data)}


def reason(client):
    """Why the endpoint cannot answer, once its first training has ended."""

    def final():
        answer = client.get("/titanic", query_string=ROW)
        return None if "Retry-After" in answer.headers else answer

    answer = until(final)
    assert answer.status_code == 503
    return answer.get_json()["detail"]


@pytest.mark.parametrize(
    "data", [{"table": "passengers"}, {"query": 'SELECT * FROM passengers ORDER BY "PassengerId"'}]
)
def test_an_endpoint_trains_on_the_rows_of_a_database(make_client, source, data):
    source.fill()
    client = make_client(endpoint(source, **data))
    assert client.get("/titanic", query_string=ROW).get_json() == [0]
    assert client.get("/titanic?_params").get_json()["stale"] is False


def test_the_stored_rows_are_those_of_the_file(make_client, source, titanic):
    source.fill()
    client = make_client(endpoint(source, query='SELECT * FROM passengers ORDER BY "PassengerId"'))
    stored = client.get("/titanic?_cache").data
    from_file = make_client({"file": titanic_endpoint() | {"pattern": "/file"}})
    assert stored == from_file.get("/file?_cache").data


def test_a_missing_table_is_a_reason_until_it_appears_and_the_server_restarts(make_client, source):
    source.fill("other")
    url = endpoint(source, table="passengers")
    try:
        client = make_client(url, wait=False)
        assert "no table 'passengers'" in reason(client)
        assert "no table 'passengers'" in client.get("/readyz").get_json()["endpoints"]["titanic"]
    finally:
        source.drop("other")
    source.fill()
    assert make_client(url).get("/titanic", query_string=ROW).get_json() == [0]


def test_a_missing_sqlite_file_is_a_missing_source(make_client, tmp_path):
    url = {"titanic": titanic_endpoint(data={"url": "sqlite:///gone.db", "table": "a"})}
    client = make_client(url, wait=False)
    assert f"{tmp_path}/gone.db does not exist" in reason(client)
    assert client.delete("/titanic?_cache").status_code == 200
    assert not (tmp_path / "gone.db").exists()


def test_a_database_that_is_gone_after_the_training_is_not_missed(make_client, source):
    source.fill()
    url = endpoint(source, table="passengers")
    make_client(url)
    source.drop()
    client = make_client(url)
    assert client.get("/titanic", query_string=ROW).get_json() == [0]
    assert client.post("/titanic?_action=retrain").status_code == 200


def test_another_table_is_stale_and_is_read_with_retrain_on_change(make_client, source, titanic):
    source.fill()
    make_client(endpoint(source, table="passengers"))
    query = "SELECT * FROM passengers LIMIT 500"
    assert make_client(endpoint(source, query=query)).get("/titanic?_params").get_json()["stale"] is True
    kwargs = {"data": {"url": source.url, "query": query}, "retrain_on_change": True}
    client = make_client({"titanic": titanic_endpoint(**kwargs)})
    client.get("/titanic?_params")
    until(lambda: len(client.get("/titanic?_cache").get_json()) == 500)


def test_a_new_password_is_not_a_new_source(make_client, postgres, titanic):
    source = Source(postgres.url(), titanic)
    source.fill()
    make_client(endpoint(source, table="passengers"))
    source.url = postgres.url(password="changed")
    assert make_client(endpoint(source, table="passengers")).get("/titanic?_params").get_json()["stale"] is False


@pytest.mark.parametrize("table", ["passengers", "gone"])
def test_the_password_is_told_nowhere(make_client, postgres, titanic, tmp_path, caplog, table):
    source = Source(postgres.url(), titanic)
    source.fill()
    with caplog.at_level(logging.DEBUG):
        client = make_client(endpoint(source, table=table), wait=table == "passengers")
        if table == "gone":
            reason(client)
    pages = [client.get(path).data for path in ("/titanic", "/titanic?_params", "/readyz", "/", "/titanic?_cache")]
    files = [path.read_bytes() for path in (tmp_path / "models").rglob("*") if path.is_file()]
    told = b"".join([*pages, *files, caplog.text.encode()])
    assert not [secret for secret in (PASSWORD, quote(PASSWORD, safe="")) if secret.encode() in told]
    if table == "passengers":
        told_source = read_facts(tmp_path / "models" / "titanic" / "model.pkl")["source"]
        assert told_source["url"] == f"postgresql+psycopg://owner:***@127.0.0.1:{postgres.port}/postgres"


def test_the_examples_of_the_readme_work(make_client, postgres, tmp_path):
    [example] = [part for part in (ROOT / "README.md").read_text().split("```yaml\n") if "shop.db" in part]
    url = yaml.safe_load(example.split("```")[0])["url"]
    url["churn"]["kwargs"]["data"]["url"] = postgres.url()
    customers = pd.DataFrame({"customer_id": range(20), "left": [0, 1] * 10, "years": [9, 1] * 10})
    Source(postgres.url(), customers).fill("customers")
    Source(f"sqlite:///{tmp_path / 'shop.db'}", pd.DataFrame({"price": [0, 2, 4], "pieces": [9, 1, 2]})).fill("orders")
    client = make_client(url)
    assert client.get("/churn?years=1").get_json() == [1]
    assert client.get("/orders?pieces=3").get_json() == pytest.approx([6])


def test_the_page_of_an_endpoint_without_its_database_opens(make_client, source):
    client = make_client(endpoint(source, query="SELECT * FROM passengers"), wait=False)
    assert "passengers" in reason(client)
    assert client.get("/titanic").status_code == 200
