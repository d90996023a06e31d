"""The configuration's own function of the rows: feature engineering before training and before predicting.

A transform is a dotted path to a function of the DataFrame, `module.function`, or an expression over `data`.
A module is looked up beside the configuration file, then among all that can be imported. `pd` and `np` are
known in expressions and, as the guide's example takes for granted, in modules beside the configuration file.
"""

import ast
import builtins
import hashlib
import importlib
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from server.errors import InvalidRows, NotReady, Problem, TransformFailed, did_you_mean
from server.schema import Column
from server.schema.arrow import to_frame, to_table
from server.schema.columns import typed

GIVEN = {"pd": pd, "np": np}


class Transform:
    """One transform, `text` as the configuration has it."""

    def __init__(self, text: str, function: Callable[[pd.DataFrame], Any], files: Sequence[Path]) -> None:
        self.text = text
        self._function = function
        self._files = tuple(files)

    def digest(self) -> str | None:
        """A checksum of the files beside the configuration that it is read from; None if there are none."""
        if not self._files:
            return None
        return hashlib.sha256(b"\0".join(file.read_bytes() for file in self._files)).hexdigest()

    def __call__(self, rows: pd.DataFrame, columns: Sequence[Column], aligned: bool) -> pd.DataFrame:
        """The transformed rows in plain types, numbered.

        Args:
            rows: raw rows, of which the function gets a copy with cells as pandas.read_csv gives them.
            columns: the raw columns as training knew them.
            aligned: whether each row must stay one row, in its place.

        Raises:
            InvalidRows: a cell does not fit its column.
            TransformFailed: the function raises, returns no DataFrame, or another number of rows.
        """
        given = typed(rows, columns)
        count = len(given)
        try:
            result = self._function(given)
        except Exception as error:  # noqa: BLE001 - anything can happen in a user's function
            raise self._failure(error, rows, columns) from error
        if result is None:
            result = given
        if not isinstance(result, pd.DataFrame):
            raise TransformFailed(f"the transform {self.text} returned a {type(result).__name__}, not a DataFrame")
        if aligned and len(result) != count:
            raise TransformFailed(
                f"the transform {self.text} made {len(result)} rows of {count}; each row needs its own prediction"
            )
        return self._plain(result, count)

    def _plain(self, result: pd.DataFrame, count: int) -> pd.DataFrame:
        names = [str(name) for name in result.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise TransformFailed(f"the transform {self.text} returned the column {twice[0]!r} more than once")
        numbered = pd.RangeIndex(count)
        if len(result) == count and not result.index.equals(numbered) and result.index.isin(numbered).all():
            # Sorted or shuffled: the labels still say which row is which.
            result = result.reindex(numbered) if result.index.is_unique else result
        try:
            return to_frame(to_table(result.set_axis(names, axis=1).reset_index(drop=True)))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise TransformFailed(f"the transform {self.text} returned cells that are no values: {error}") from error

    def _failure(
        self, error: Exception, rows: pd.DataFrame, columns: Sequence[Column]
    ) -> TransformFailed | InvalidRows:
        absent = [column.name for column in columns if column.name not in rows.columns]
        if isinstance(error, KeyError):
            asked = [name for name in absent if repr(name) in str(error)]
            if asked:
                named = ", ".join(map(repr, asked))
                hint = did_you_mean(asked[0], rows.columns) if len(asked) == 1 else ""
                problems = [Problem(f"/{name}", "missing") for name in asked]
                return InvalidRows(f"the transform {self.text} needs columns that are missing: {named}{hint}", problems)
        place = next((f" (line {frame.lineno})" for frame in _own_frames(error, self._files)), "")
        known = f"; columns of the training data that were not sent: {', '.join(absent)}" if absent else ""
        return TransformFailed(f"the transform {self.text} failed{place}: {type(error).__name__}: {error}{known}")


def _own_frames(error: Exception, files: Sequence[Path]) -> Iterator[traceback.FrameSummary]:
    """The user's own lines on the way to the error, the last one first."""
    names = {str(file) for file in files}
    return (frame for frame in reversed(traceback.extract_tb(error.__traceback__)) if frame.filename in names)


def find_transform(text: str, folder: Path) -> Transform:
    """The transform that the configuration in this folder means; files that have changed are read anew.

    Raises:
        NotReady: there is no such module or function, or this is no expression; the sentence says what.
    """
    return _found(text, folder, _state(text, folder))


def _state(text: str, folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Path, time and size of the files that the text may refer to."""
    candidates = {folder.joinpath(*names).with_suffix(".py") for names in _dotted_names(text)}
    existing = sorted(path for path in candidates if path.is_file())
    return tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in existing)


@lru_cache(maxsize=128)
def _dotted_names(text: str) -> tuple[tuple[str, ...], ...]:
    """Every dotted name in the text, and all its beginnings: those that may be modules."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return ()
    paths = filter(None, (_dotted(node) for node in ast.walk(tree) if isinstance(node, (ast.Name, ast.Attribute))))
    return tuple({path[:length] for path in paths for length in range(1, len(path) + 1)})


def _dotted(node: ast.expr) -> tuple[str, ...] | None:
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return (*before, node.attr) if before else None
    return None


@lru_cache(maxsize=128)
def _found(text: str, folder: Path, state: tuple[tuple[str, int, int], ...]) -> Transform:
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        reason = getattr(error, "msg", None) or error
        raise NotReady(f"{text!r} is neither a module.function nor an expression over data: {reason}") from error
    path = _dotted(tree.body)
    modules: list[ModuleType] = []
    if path and path[0] != "data":
        function = _function(text, path, folder, modules)
    else:
        function = _expression(text, tree, folder, modules)
    own = [
        Path(module.__file__) for module in modules if module.__file__ and Path(module.__file__).is_relative_to(folder)
    ]
    return Transform(text, function, own)


def _function(
    text: str, path: tuple[str, ...], folder: Path, modules: list[ModuleType]
) -> Callable[[pd.DataFrame], Any]:
    if len(path) < 2:
        raise NotReady(f"{text!r} names no function; write module.function, or an expression over data")
    module = _module(".".join(path[:-1]), folder)
    modules.append(module)
    function = getattr(module, path[-1], None)
    if not callable(function):
        near = did_you_mean(path[-1], [name for name, value in vars(module).items() if callable(value)])
        raise NotReady(f"the module {'.'.join(path[:-1])!r} has no function {path[-1]!r}{near}")
    return function


def _expression(
    text: str, tree: ast.Expression, folder: Path, modules: list[ModuleType]
) -> Callable[[pd.DataFrame], Any]:
    code = compile(tree, "<data.transform>", "eval")
    names: dict[str, Any] = dict(GIVEN)
    for name in sorted(_free_names(tree)):
        if name not in names and name != "data" and not hasattr(builtins, name):
            names[name] = _module(name, folder)
            modules.append(names[name])
    return lambda data: eval(code, {**names, "data": data})  # noqa: S307 - the configuration's own words


def _free_names(tree: ast.Expression) -> set[str]:
    """The names that an expression does not bind itself, by a lambda or a comprehension."""
    nodes = list(ast.walk(tree))
    bound = {node.arg for node in nodes if isinstance(node, ast.arg)}
    bound |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return {node.id for node in nodes if isinstance(node, ast.Name)} - bound


def _module(name: str, folder: Path) -> ModuleType:
    """A module beside the configuration file, or one that can be imported.

    Raises:
        NotReady: there is none, or it fails when it is imported.
    """
    path = folder.joinpath(*name.split(".")).with_suffix(".py")
    try:
        return _loaded(name, path, folder) if path.is_file() else importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            near = did_you_mean(name, [file.stem for file in folder.glob("*.py")])
            raise NotReady(f"there is no module {name!r} beside the configuration file or installed{near}") from error
        raise NotReady(f"the module {name!r} cannot be imported: {error}") from error
    except Exception as error:  # noqa: BLE001 - a module can fail in any way
        raise NotReady(f"the module {name!r} cannot be imported: {type(error).__name__}: {error}") from error


def _loaded(name: str, path: Path, folder: Path) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = str(path)
    vars(module).update(GIVEN)
    # What it imports in turn may lie beside it.
    sys.path.append(str(folder))
    try:
        # Read as it is now: Python's own cache of compiled files looks at whole seconds only.
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))  # noqa: S102
    finally:
        sys.path.remove(str(folder))
    return module
