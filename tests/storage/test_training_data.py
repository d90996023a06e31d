"""The training data: all rows or none, in the order in which they came, in the types that they had."""

import datetime
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
from deltalake import DeltaTable

from server.errors import BadRequest, SchemaConflict
from server.schema import Kind
from server.schema.arrow import to_frame, to_table
from server.storage.endpoint_store import EndpointStore
from server.storage.files import Lock
from server.storage.training_data import FILES, TrainingData
from tests.storage import dying

ROWS = pd.DataFrame({"n": [1, 2], "x": [0.5, 1.5], "t": ["a", "b"], "f": [True, False]})


@pytest.fixture
def data(tmp_path) -> TrainingData:
    return TrainingData(tmp_path / "data", Lock(tmp_path / "data.lock"))


def reopened(data: TrainingData) -> TrainingData:
    return TrainingData(data.folder, Lock(data.folder.parent / "data.lock"))


def as_read(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as any door of the server would read them."""
    return to_frame(to_table(rows))


def test_before_the_first_rows_everything_is_empty(data):
    assert (data.exists(), data.count(), data.version(), data.columns(), data.last_run()) == (False, 0, None, [], None)
    assert data.read().empty
    assert data.history() == []
    data.clear()
    assert not data.exists()


def test_the_folder_may_have_any_name(tmp_path):
    data = TrainingData(tmp_path / "50 % <of> ünïcode" / "data", Lock(tmp_path / "data.lock"))
    data.replace(ROWS)
    data.append(ROWS)
    assert data.read()["n"].tolist() == [1, 2, 1, 2]


def test_appended_rows_come_after_those_before(data):
    assert data.append(ROWS) == 2
    assert data.append(ROWS.assign(n=[3, 4])) == 4
    assert reopened(data).read()["n"].tolist() == [1, 2, 3, 4]


def test_rows_are_appended_whatever_their_labels(data):
    data.append(ROWS)
    data.append(ROWS.set_axis([7, 0]))
    assert data.read().to_dict("list") == pd.concat([ROWS, ROWS]).to_dict("list")


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("n", "x", ["row 2", "n:", "'x'", "number"]),
        ("n", 1.5, ["row 2", "n:", "whole number"]),
        ("x", "abc", ["row 2", "x:", "'abc'"]),
        ("f", "maybe", ["row 2", "f:", "true or false"]),
    ],
)
def test_a_cell_that_does_not_fit_is_named_and_nothing_is_appended(data, column, cell, words):
    data.append(ROWS)
    rows = ROWS.astype(object)
    rows.loc[1, column] = cell
    with pytest.raises(SchemaConflict) as caught:
        data.append(rows)
    assert all(word in caught.value.detail for word in words), caught.value.detail
    assert caught.value.problems[0].pointer == f"/1/{column}"
    pd.testing.assert_frame_equal(data.read(), as_read(ROWS))


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (ROWS.drop(columns="t"), "'t' is missing"),
        (ROWS.assign(more=1), "'more' is not in the stored data"),
        (ROWS.rename(columns={"t": "T"}), "'t'"),
    ],
)
def test_other_columns_are_named_and_nothing_is_appended(data, rows, named):
    data.append(ROWS)
    with pytest.raises(SchemaConflict, match=named):
        data.append(rows)
    assert data.count() == 2


def test_columns_in_another_order_are_appended_by_name(data):
    data.append(ROWS)
    data.append(ROWS[ROWS.columns[::-1]])
    pd.testing.assert_frame_equal(data.read(), as_read(pd.concat([ROWS, ROWS], ignore_index=True)))


@pytest.mark.slow
def test_the_order_holds_through_many_appends_and_compaction(data):
    appends = 2 * FILES + 15
    for number in range(appends):
        data.append(pd.DataFrame({"n": [2 * number, 2 * number + 1]}))
    assert data.read()["n"].tolist() == list(range(2 * appends))
    assert len(DeltaTable(data.folder).file_uris()) < FILES
    assert data.read(FILES // 2)["n"].tolist() == list(range(2 * (FILES // 2 + 1)))


def test_the_order_of_a_large_table_holds(data):
    data.replace(pd.DataFrame({"n": range(300_000), "t": [f"row {n}" for n in range(300_000)]}))
    data.append(pd.DataFrame({"n": [300_000], "t": ["last"]}))
    assert data.read()["n"].tolist() == list(range(300_001))


def test_the_order_does_not_depend_on_the_clock(data):
    """A clock set back (by NTP, by a restored machine) must not move rows."""
    for number in range(5):
        data.append(pd.DataFrame({"n": [number]}))
        log = data.folder / "_delta_log" / f"{number:020}.json"
        lines = log.read_text().replace('"modificationTime":1', '"modificationTime":' + str(9 - number))
        log.write_text(lines)
    assert reopened(data).read()["n"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("integers", [1, 2**62, -5], Kind.INTEGER),
        ("integers with gaps", pd.array([1, None, 2**60 + 1], "Int64"), Kind.INTEGER),
        ("numbers", [0.1, None, -2.0], Kind.NUMBER),
        ("whole numbers", [1.0, 2.0, 3.0], Kind.NUMBER),
        ("booleans", [True, False, True], Kind.BOOLEAN),
        ("booleans with gaps", pd.array([True, None, False], "boolean"), Kind.BOOLEAN),
        ("texts", ["007", None, "Zürich 🚲"], Kind.TEXT),
        ("times", pd.to_datetime(["2020-02-29 12:30:15.123456", None, "1900-01-01 00:00:00.0"]), Kind.DATETIME),
        ("dates", [datetime.date(2020, 2, 29), datetime.date(1900, 1, 1), None], Kind.DATETIME),
        ("lists", [[1, 2], [], [3]], Kind.NESTED),
        ("objects", [{"a": 1}, {"a": 2}, {"a": None}], Kind.NESTED),
        ("nothing", [None, None, None], Kind.TEXT),
    ],
)
def test_types_stay_over_appends_and_reopening(data, name, cells, kind):
    rows = as_read(pd.DataFrame({"c": cells, "id": range(3)}))
    data.append(rows)
    data.append(rows)
    data = reopened(data)
    assert data.columns()[0].kind == kind
    read = data.read()
    pd.testing.assert_frame_equal(read, as_read(pd.concat([rows, rows], ignore_index=True)))


def test_text_that_looks_like_numbers_stays_text(data):
    data.append(pd.DataFrame({"zip": ["007", "12"]}))
    data.append(pd.DataFrame({"zip": [34]}))
    assert data.read()["zip"].tolist() == ["007", "12", "34"]


def test_older_versions_stay_readable(data):
    data.append(ROWS)
    first = data.version()
    data.append(ROWS)
    data.replace(pd.DataFrame({"other": ["z"]}), "run7")
    assert data.last_run() == "run7"
    assert len(data.read(first)) == 2
    assert data.read(first + 1)["n"].tolist() == [1, 2, 1, 2]
    assert data.read()["other"].tolist() == ["z"]


def test_after_clear_rows_of_another_schema_may_come(data):
    data.append(ROWS)
    before = data.version()
    data.clear()
    assert (data.exists(), data.count(), data.columns(), data.read().empty) == (True, 0, [], True)
    data.append(pd.DataFrame({"n": ["text now"]}))
    assert data.read().to_dict("records") == [{"n": "text now"}]
    assert len(data.read(before)) == 2


@pytest.mark.parametrize("change", ["append", "replace"])
def test_names_that_differ_only_in_case_are_refused(data, change):
    with pytest.raises(BadRequest, match="'a' and 'A' differ only in case") as caught:
        getattr(data, change)(pd.DataFrame({"a": [1], "A": [2]}))
    assert caught.value.problems[0].pointer == "/A"
    assert not data.exists()


def test_rows_without_columns_are_refused(data):
    with pytest.raises(BadRequest):
        data.replace(pd.DataFrame(index=range(3)))


@pytest.mark.parametrize(
    "name",
    [*" ,;/={}()~.`%0🚲", "a b", "a.b", "a/b", "a\nb", "a\tb", '"', "'", "%20", "", "_a"],
)
def test_weird_column_names_are_kept(data, name):
    rows = pd.DataFrame({name: [1], "x": ["a"]})
    data.append(rows)
    data.append(rows)
    assert reopened(data).read().columns.tolist() == [name, "x"]
    assert data.count() == 2


def test_a_thousand_columns_are_kept(data):
    rows = pd.DataFrame({f"c{n}": [n] for n in range(1000)})
    data.append(rows)
    pd.testing.assert_frame_equal(data.read(), rows)


CELLS = {"large": [2**64 - 1], "object": [object()], "mixed": [1, "a"], "dict": [{"a": 1}, 2]}


@pytest.mark.parametrize("cells", CELLS.values(), ids=CELLS)
def test_rows_that_cannot_be_stored_are_a_bad_request(data, cells):
    with pytest.raises(BadRequest):
        data.replace(pd.DataFrame({"c": pd.Series(cells, dtype="uint64" if cells[0] == 2**64 - 1 else object)}))
    assert not data.exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_appends_of_several_processes_are_all_kept_each_in_one_piece(runner, tmp_path):
    batches = [pd.DataFrame({"batch": [batch] * 5, "n": range(5)}) for batch in range(24)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda rows: runner.run(dying.append, tmp_path, rows), batches))
    stored = EndpointStore(tmp_path).data.read()
    assert stored["n"].tolist() == list(range(5)) * 24
    assert sorted(stored["batch"][::5].tolist()) == list(range(24))
    assert stored["batch"].tolist() == stored["batch"][::5].repeat(5).tolist()
