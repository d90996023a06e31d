"""The configuration's own function of the rows: feature engineering before training and before predicting.

A transform is a dotted path to a function of the DataFrame, `module.function`, or an expression over `data`.
A module is looked up beside the configuration file, then among all that can be imported. `pd` and `np` are
known in expressions and in modules beside the configuration file.
"""

import ast
import builtins
import hashlib
import threading
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from server.errors import InvalidRows, NotReady, Problem, TransformFailed, did_you_mean
from server.schema import Column, Kind, pointer
from server.schema.arrow import to_frame, to_table
from server.schema.columns import typed
from server.tables.modules import GIVEN, Modules, importable

Function = Callable[[pd.DataFrame], Any]


class Transform:
    """One transform, `text` as the configuration has it."""

    def __init__(self, text: str, function: Function, folder: Path, files: Collection[Path]) -> None:
        self.text = text
        self._function = function
        self._folder = folder
        self._files = sorted(files)
        self._read = _states(self._files)

    def is_current(self) -> bool:
        """Whether the files that it was read from are as they were."""
        return _states(self._files) == self._read

    def digest(self) -> str | None:
        """A checksum of the files beside the configuration that it is read from; None if there are none."""
        if not self._files:
            return None
        return hashlib.sha256(b"\0".join(file.read_bytes() for file in self._files)).hexdigest()

    def __call__(self, rows: pd.DataFrame, columns: Sequence[Column], aligned: bool) -> pd.DataFrame:
        """The transformed rows in plain types, numbered.

        Args:
            rows: raw rows, of which the function gets a copy with cells as pandas.read_csv gives them, and
                with the columns in the order of `columns`.
            columns: the raw columns as training knew them.
            aligned: whether each row must stay one row, in its place.

        Raises:
            InvalidRows: a cell does not fit its column.
            TransformFailed: the function raises, returns no DataFrame, or another number of rows.
        """
        known = [column.name for column in columns if column.name in rows.columns]
        given = typed(rows[[*known, *(name for name in rows.columns if name not in known)]], columns)
        count = len(given)
        try:
            with importable(self._folder):
                result = self._function(given)
        except (Exception, SystemExit) as error:
            raise self._failure(error, rows, columns) from error
        if result is None:
            result = given
        if not isinstance(result, pd.DataFrame):
            raise TransformFailed(f"the transform {self.text} returned a {type(result).__name__}, not a DataFrame")
        if aligned:
            result = self._aligned(result, count)
        return self._plain(result)

    def _aligned(self, result: pd.DataFrame, count: int) -> pd.DataFrame:
        if len(result) != count:
            raise TransformFailed(
                f"the transform {self.text} made {len(result)} rows of {count}; each row needs its own prediction"
            )
        numbered = pd.RangeIndex(count)
        if result.index.name is not None or not result.index.isin(numbered).all():
            # Labels of the user's own, as set_index makes them: the rows themselves have not moved.
            return result
        if not result.index.is_unique:
            raise TransformFailed(
                f"the transform {self.text} left rows out and repeated others; each row needs its own prediction"
            )
        # Sorted or shuffled: the labels still say which row is which.
        return result.reindex(numbered)

    def _plain(self, result: pd.DataFrame) -> pd.DataFrame:
        names = [str(name) for name in result.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise TransformFailed(f"the transform {self.text} returned the column {twice[0]!r} more than once")
        result = result.set_axis(names, axis=1).reset_index(drop=True)
        try:
            table = to_table(result)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise self._odd_cells(result) from error
        if any(isinstance(field.type, pa.BaseExtensionType) for field in table.schema):
            raise self._odd_cells(result)
        return to_frame(table)

    def _odd_cells(self, result: pd.DataFrame) -> TransformFailed:
        """Which column holds what is neither number, text, truth value nor time."""
        for name in result.columns:
            try:
                odd = isinstance(to_table(result[[name]]).schema[0].type, pa.BaseExtensionType)
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                odd = True
            if odd:
                break
        return TransformFailed(
            f"the transform {self.text} returned the column {name!r} of type {result[name].dtype}, which holds "
            "something else than numbers, texts, truth values or times"
        )

    def _failure(
        self, error: BaseException, rows: pd.DataFrame, columns: Sequence[Column]
    ) -> TransformFailed | InvalidRows:
        absent = [column.name for column in columns if column.name not in rows.columns]
        # What no request has to bring cannot be what is missing.
        unsent = [column.name for column in columns if column.name in absent and column.kind is not Kind.ANY]
        if isinstance(error, KeyError):
            asked = [name for name in absent if repr(name) in str(error)]
            if asked:
                named = ", ".join(map(repr, asked))
                hint = did_you_mean(asked[0], rows.columns) if len(asked) == 1 else ""
                problems = [Problem(pointer(name), "missing") for name in asked]
                return InvalidRows(f"the transform {self.text} needs columns that are missing: {named}{hint}", problems)
        place = next((f" (line {frame.lineno})" for frame in _own_frames(error, self._files)), "")
        known = f"; columns of the training data that were not sent: {', '.join(unsent)}" if unsent else ""
        return TransformFailed(f"the transform {self.text} failed{place}: {type(error).__name__}: {error}{known}")


def _own_frames(error: BaseException, files: Collection[Path]) -> Iterator[traceback.FrameSummary]:
    """The user's own lines on the way to the error, the last one first."""
    names = {str(file) for file in files}
    return (frame for frame in reversed(traceback.extract_tb(error.__traceback__)) if frame.filename in names)


_known: dict[tuple[str, Path], Transform] = {}
_finding = threading.Lock()


def find_transform(text: str, folder: Path) -> Transform:
    """The transform that the configuration in this folder means; files that have changed are read anew.

    Raises:
        NotReady: there is no such module or function, or this is no expression; the sentence says what.
    """
    known = _known.get((text, folder))
    if known is None or not known.is_current():
        with _finding:
            known = _known[text, folder] = _found(text, folder)
    return known


def _states(files: Collection[Path]) -> list[tuple[int, int] | None]:
    return [(file.stat().st_mtime_ns, file.stat().st_size) if file.exists() else None for file in files]


def _found(text: str, folder: Path) -> Transform:
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        reason = getattr(error, "msg", None) or error
        raise NotReady(f"{text!r} is neither a module.function nor an expression over data: {reason}") from error
    modules = Modules(folder)
    path = _dotted(tree.body)
    make = _expression if path is None or path[0] == "data" else _function
    return Transform(text, make(text, tree, modules), folder, modules.files)


def _dotted(node: ast.expr) -> tuple[str, ...] | None:
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return (*before, node.attr) if before else None
    return None


def _function(text: str, tree: ast.Expression, modules: Modules) -> Function:
    *names, last = _dotted(tree.body) or ("",)
    if not names:
        raise NotReady(f"{text!r} names no function; write module.function, or an expression over data")
    name = ".".join(names)
    module = modules.find(name)
    function = getattr(module, last, None)
    if not callable(function):
        near = did_you_mean(last, [known for known, value in vars(module).items() if callable(value)])
        raise NotReady(f"the module {name!r} has no function {last!r}{near}")
    return function


def _expression(text: str, tree: ast.Expression, modules: Modules) -> Function:
    code = compile(tree, "<data.transform>", "eval")
    names: dict[str, Any] = dict(GIVEN)
    for name, *attributes in sorted(_free_names(tree)):
        if name == "data" or name in GIVEN or hasattr(builtins, name):
            continue
        names.setdefault(name, modules.find(name))
        modules.follow(names[name], name, attributes)
    return lambda data: eval(code, {**names, "data": data})  # noqa: S307 - the configuration's own words


def _free_names(tree: ast.Expression) -> set[tuple[str, ...]]:
    """The dotted names that begin with what the expression does not bind itself, by a lambda or a comprehension."""
    nodes = list(ast.walk(tree))
    bound = {node.arg for node in nodes if isinstance(node, ast.arg)}
    bound |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    paths = {_dotted(node) for node in nodes if isinstance(node, (ast.Name, ast.Attribute))}
    return {path for path in paths if path and path[0] not in bound}
