"""read_database: the rows of a database as a file would give them, and errors that name the cause."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa

from server.errors import NotReady
from server.schema.arrow import to_frame
from server.storage import database
from server.storage.database import read_database
from tests.postgres import PASSWORD

pytestmark = pytest.mark.slow


@pytest.fixture
def sqlite(tmp_path):
    """Fill an SQLite file by a script; its URL."""

    def make(script):
        with closing(sqlite3.connect(tmp_path / "a b%?.db")) as connection:
            connection.executescript(script)
        return sa.URL.create("sqlite", database=str(tmp_path / "a b%?.db")).render_as_string()

    return make


@pytest.fixture
def postgresql(postgres):
    """Fill an empty PostgreSQL database by a script; its URL."""

    def run(database, *statements):
        engine = sa.create_engine(postgres.url(database), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
        engine.dispose()

    def make(script):
        run("postgres", "DROP DATABASE IF EXISTS test WITH (FORCE)", "CREATE DATABASE test")
        run("test", *script.split(";\n"))
        return postgres.url("test")

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def fill(request):
    return request.getfixturevalue(request.param)


def refusal(url, table=None, query=None):
    with pytest.raises(NotReady) as caught:
        read_database(url, table, query)
    assert PASSWORD not in caught.value.detail
    return caught.value.detail


ROWS = """CREATE TABLE rows (i INTEGER, gap INTEGER, f DOUBLE PRECISION, n NUMERIC(8, 2), t TEXT, d DATE, m TIMESTAMP);
INSERT INTO rows VALUES (1, 1, 0.5, 2.25, 'x', '2024-02-29', '2024-02-29 12:30:00.000000');
INSERT INTO rows VALUES (2, NULL, NULL, NULL, NULL, NULL, NULL)"""


@pytest.mark.parametrize("chunk", [1, 10_000])
def test_types_and_gaps_are_those_of_a_parquet_file_of_the_same_rows(fill, monkeypatch, chunk):
    monkeypatch.setattr(database, "CHUNK", chunk)
    moments = [pd.Timestamp("2024-02-29").date(), None], [pd.Timestamp("2024-02-29 12:30"), None]
    expected = to_frame(
        pa.table(
            {
                "i": [1, 2], "gap": [1, None], "f": [0.5, None], "n": [2.25, None], "t": ["x", None],
                "d": moments[0], "m": pa.array(moments[1], pa.timestamp("us")),
            }
        )
    )  # fmt: skip
    found = read_database(fill(ROWS), "rows", None)
    pd.testing.assert_frame_equal(found, expected)
    assert str(found.dtypes["gap"]) == "Int64"


def test_booleans_with_gaps_stay_booleans(fill):
    found = read_database(fill("CREATE TABLE a (b BOOLEAN);\nINSERT INTO a VALUES (true), (NULL), (false)"), "a", None)
    assert found["b"].tolist() == [True, pd.NA, False]
    assert str(found["b"].dtype) == "boolean"


def test_types_of_postgresql_alone(postgresql):
    url = postgresql(
        """CREATE TYPE port AS ENUM ('S', 'Q');
        CREATE TABLE a (e port, u UUID, j JSONB, z TIMESTAMPTZ, s INTERVAL, c TIME, n NUMERIC, l NUMERIC[], b BIGINT);
        INSERT INTO a VALUES ('Q', '00000000-0000-0000-0000-00000000000a', '{"a": [1]}', '2024-01-01 01:00+01',
            '90 s', '01:02', 'NaN', '{1.5}', 9007199254740993)"""
    )
    for asked in (("a", None), (None, "SELECT * FROM a")):
        [row] = read_database(url, *asked).to_dict("records")
        assert np.isnan(row.pop("n"))
        assert {"a": list(row["j"].pop("a")), "l": list(row.pop("l"))} == {"a": [1], "l": [1.5]}
        assert row == {
            "e": "Q", "u": "00000000-0000-0000-0000-00000000000a", "j": {}, "z": pd.Timestamp("2024-01-01"),
            "s": 90.0, "c": "01:02:00.000000", "b": 9007199254740993,
        }  # fmt: skip


def test_times_with_a_zone_become_utc_on_both_sides_of_summer_time(postgresql):
    url = postgresql("SELECT 1")
    query = "SELECT set_config('TimeZone', 'Europe/Berlin', false), m::timestamptz FROM (VALUES {}) AS v (m)"
    found = read_database(url, None, query.format("('2024-01-01 00:00+00'), ('2024-07-01 00:00+00')"))
    assert found["m"].tolist() == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-07-01")]


def test_a_query_is_taken_as_it_is_written(fill):
    url = fill(ROWS)
    query = "SELECT i AS \"50%\", 'a :b %s %(c)s' AS s FROM rows WHERE t LIKE '%x%' ORDER BY i;"
    assert read_database(url, None, query).to_dict("list") == {"50%": [1], "s": ["a :b %s %(c)s"]}


@pytest.mark.parametrize("name", ['odd "name" 100%', "a.b", "Select", "x; DROP TABLE rows", ":a"])
def test_any_name_of_a_table_or_column_is_quoted(fill, name):
    quoted = '"' + name.replace('"', '""') + '"'
    url = fill(f"CREATE TABLE {quoted} ({quoted} INTEGER);\nINSERT INTO {quoted} VALUES (7)")
    assert read_database(url, name, None).to_dict("list") == {name: [7]}


def test_a_view_is_read_like_a_table(fill):
    assert read_database(fill(ROWS + ";\nCREATE VIEW v AS SELECT i FROM rows"), "v", None)["i"].sum() == 3


def test_a_table_may_be_named_with_its_schema(fill, postgresql, sqlite):
    assert len(read_database(sqlite(ROWS), "main.rows", None)) == 2
    url = postgresql("CREATE SCHEMA other;\nCREATE TABLE other.rows (a INTEGER);\nINSERT INTO other.rows VALUES (1)")
    assert read_database(url, "other.rows", None)["a"].tolist() == [1]
    assert "did you mean 'other.rows'?" in refusal(url, "othr.rows")


def test_a_missing_table_is_named_with_the_nearest(fill):
    url = fill("CREATE TABLE passengers (a INTEGER);\nCREATE VIEW passenger AS SELECT * FROM passengers")
    detail = refusal(url, "Pasengers")
    assert detail.startswith("the database of data.url has no table 'Pasengers'; did you mean 'passengers' or")


def test_wrong_sql_is_told_by_the_first_line_of_the_database(fill):
    detail = refusal(fill(ROWS), query="SELEKT 1")
    assert 'near "SELEKT": syntax error' in detail or 'syntax error at or near "SELEKT"' in detail
    assert "\n" not in detail


@pytest.mark.parametrize("query", ["DELETE FROM rows", "DELETE FROM rows RETURNING i", "DROP TABLE rows"])
def test_nothing_is_written(fill, query):
    url = fill(ROWS)
    assert refusal(url, query=query).startswith("data.query")
    assert len(read_database(url, "rows", None)) == 2


def test_a_table_without_rows_says_so(fill):
    assert refusal(fill("CREATE TABLE a (b INTEGER)"), "a") == "data.table 'a' has no rows yet"


def test_two_columns_of_one_name_are_refused(fill):
    assert "'a' more than once" in refusal(fill(ROWS), query="SELECT 1 AS a, 2 AS a")


def test_bytes_are_refused_by_the_name_of_their_column(sqlite, postgresql):
    assert "'photo' of data.table 'a' holds bytes" in refusal(
        sqlite("CREATE TABLE a (photo BLOB);\nINSERT INTO a VALUES (NULL), (x'00')"), "a"
    )
    assert "'photo' of data.query holds bytes" in refusal(
        postgresql("SELECT 1"), query="SELECT '\\x00'::bytea AS photo"
    )


@pytest.mark.parametrize("chunk", [1, 10_000])
def test_cells_of_several_kinds_in_one_column_are_refused(sqlite, monkeypatch, chunk):
    monkeypatch.setattr(database, "CHUNK", chunk)
    detail = refusal(sqlite("CREATE TABLE a (mixed);\nINSERT INTO a VALUES (1), ('x')"), "a")
    assert "mixed" in detail
    assert "cast" in detail


def test_a_type_without_a_meaning_here_is_refused(postgresql):
    assert "'r' of data.query holds Range" in refusal(postgresql("SELECT 1"), query="SELECT int4range(1, 2) AS r")


def test_all_chunks_arrive(fill, monkeypatch):
    monkeypatch.setattr(database, "CHUNK", 7)
    query = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99) SELECT i FROM n ORDER BY i"
    assert read_database(fill(ROWS), None, query)["i"].tolist() == list(range(100))


def test_rows_come_in_chunks_from_the_server(postgresql):
    """A million rows at once would be some 300 MB of Python objects."""
    url = postgresql("SELECT 1")
    program = (
        "import resource, sys\n"
        "from server.storage.database import read_database\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "read_database(sys.argv[1], None, 'SELECT 1 AS i')\n"
        "before = peak()\n"
        "query = 'SELECT i, i + 0.5::float8 AS f, i * 2 AS g FROM generate_series(1, 1000000) AS n (i)'\n"
        "assert len(read_database(sys.argv[1], None, query)) == 1_000_000\n"
        "print((peak() - before) // 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, url], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 150


def test_a_server_that_does_not_answer_is_named_without_the_password(postgres):
    gone = postgres.url().replace(f":{postgres.port}/", ":1/")
    assert refusal(gone, "a").startswith("the database of data.url cannot be reached: ")
    assert "Connection refused" in refusal(gone, "a")


def test_a_wrong_password_is_not_told(postgres):
    detail = refusal(postgres.url(password="hunter2"), "a")
    assert "password authentication failed" in detail
    assert "hunter2" not in detail


def test_a_missing_driver_is_named_with_the_requirements(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    detail = refusal("postgresql+psycopg://u:p@127.0.0.1/d", "a")
    assert "'psycopg'" in detail
    assert "requirements-core.txt" in detail


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "a.db").write_text("no database, and long enough to be looked at" * 9)
    assert "not a database" in refusal(f"sqlite:///{tmp_path}/a.db", "a")


def test_a_missing_sqlite_file_is_not_created(tmp_path):
    assert "unable to open" in refusal(f"sqlite:///{tmp_path}/gone.db", "a")
    assert not (tmp_path / "gone.db").exists()
