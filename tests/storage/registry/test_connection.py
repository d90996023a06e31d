"""The registry's database: opened late, by each process for itself, at the right revision."""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from server.errors import RegistryUnavailable, ServerError
from server.storage.registry import connection as module
from server.storage.registry.algorithms import candidates, ensure_endpoint
from server.storage.registry.connection import REVISIONS, RegistryDatabase
from server.storage.registry.listing import LISTINGS, count_of
from server.storage.registry.tables import Table


def test_the_migrations_make_the_tables_that_the_code_knows(database):
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": REVISIONS})
        assert compare_metadata(context, Table.metadata) == []


def test_nothing_is_opened_before_it_is_asked(tmp_path):
    RegistryDatabase(f"sqlite:///{tmp_path}/folder/registry.db")
    assert list(tmp_path.iterdir()) == []


def test_sqlite_writes_ahead_and_keeps_what_belongs_together(make_url):
    database = RegistryDatabase(make_url("sqlite"))
    with database.reading() as connection:
        values = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in
                  ("journal_mode", "synchronous", "foreign_keys")}  # fmt: skip
    assert values == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1}
    database.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_many_may_open_a_new_database_at_once(make_url, kind):
    databases = [RegistryDatabase(url) for url in [make_url(kind)] * 6]
    failures: list[Exception] = []

    def ask(database: RegistryDatabase) -> None:
        try:
            with database.reading() as connection:
                assert count_of(connection, "endpoints", {}) == 0
        except ServerError as error:
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for database in databases:
        database.close()
    assert failures == []


def test_a_database_of_a_newer_release_is_refused_by_its_revision(database):
    with database.writing() as connection:
        connection.execute(sa.text(f"UPDATE {REVISIONS} SET version_num = 'r9999'"))
    later = RegistryDatabase(database._url.render_as_string(hide_password=False))
    with pytest.raises(RegistryUnavailable, match="revision r9999, which this release does not know"), later.reading():
        pass


def test_a_server_that_cannot_be_reached_is_told_without_its_password():
    database = RegistryDatabase("postgresql+psycopg://owner:secret@127.0.0.1:1/registry")
    with pytest.raises(RegistryUnavailable, match="server.database") as told, database.reading():
        pass
    assert "secret" not in told.value.detail
    # Who asks at once again need not wait for the same.
    with pytest.raises(RegistryUnavailable) as again, database.reading():
        pass
    assert again.value is told.value


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "registry.db").write_bytes(b"nothing of the kind" * 100)
    with (
        pytest.raises(RegistryUnavailable, match="not a database"),
        RegistryDatabase(f"sqlite:///{tmp_path}/registry.db").reading(),
    ):
        pass


@pytest.mark.parametrize("moved", ["deleted", "replaced"])
def test_a_file_that_is_moved_while_it_is_in_use_is_opened_anew(tmp_path, caplog, moved):
    database = RegistryDatabase(f"sqlite:///{tmp_path}/registry.db")
    with database.writing() as connection:
        ensure_endpoint(connection, "iris", "me")
    before = database.opening()
    for path in tmp_path.glob("registry.db*"):
        path.rename(path.with_name(f"moved-{path.name}"))
    if moved == "replaced":
        (tmp_path / "registry.db").touch()
    with database.direct() as driven:
        assert candidates(driven, "iris", "production") == []
    with database.reading() as connection:
        assert count_of(connection, "endpoints", {}) == 0
    assert database.opening() == before + 1
    assert caplog.text.count("was moved, deleted or replaced") == 1
    database.close()


def test_who_would_wait_long_for_the_opening_is_told_to_ask_again(database, monkeypatch):
    monkeypatch.setattr(module, "OPENING", 0.2)
    is_migrating, may_end = threading.Event(), threading.Event()

    def migrate(connection):
        is_migrating.set()
        assert may_end.wait(60)
        migrate_for_real(connection)

    migrate_for_real = module.migrate
    monkeypatch.setattr(module, "migrate", migrate)
    with ThreadPoolExecutor(1) as pool:
        opener = pool.submit(_count, database)
        assert is_migrating.wait(60)
        for _ in range(2):
            with pytest.raises(RegistryUnavailable, match="brought up to date; ask again soon") as told:
                database.opening()
            assert told.value.retry_after == module.RETRY_AFTER
        # Only those who come first wait at all.
        monkeypatch.setattr(module, "OPENING", 60)
        with pytest.raises(RegistryUnavailable, match="ask again soon"):
            database.opening()
        may_end.set()
        assert opener.result(60) == 0
    assert _count(database) == 0


def test_what_fails_beside_the_database_is_not_told_of_it(database):
    with pytest.raises(IsADirectoryError), database.direct():
        raise IsADirectoryError("model.pkl")


def test_a_fork_opens_connections_of_its_own(database):
    with database.reading() as connection:
        count_of(connection, "endpoints", {})
    parent = database._engine()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(_counted, (database._url.render_as_string(hide_password=False),)) == 0
    pipe, end = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=lambda: end.send((database._engine() is parent, _count(database)))
    )
    process.start()
    assert pipe.recv() == (False, 0)
    process.join()
    assert database._engine() is parent


def _counted(url: str) -> int:
    database = RegistryDatabase(url)
    try:
        return _count(database)
    finally:
        database.close()


def _count(database: RegistryDatabase) -> int:
    with database.reading() as connection:
        return sum(count_of(connection, name, {}) for name in LISTINGS)


def test_only_one_is_alone(database):
    with database.alone("sweeping") as first, database.alone("sweeping", wait=False) as second:
        assert (first, second) == (True, False)
    with database.alone("sweeping", wait=False) as third:
        assert third
