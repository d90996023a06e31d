"""Modules beside the configuration file, read as they are now; a name that is not there means an installed one."""

import importlib
import importlib.util
import itertools
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from server.errors import NotReady, did_you_mean

# The guide's example takes them for granted.
GIVEN: dict[str, Any] = {"pd": pd, "np": np}
PREFIX = "configured_modules_"
_counter = itertools.count()
_importing = threading.Lock()


class Modules:
    """What one transform imports; `files` are those beside the configuration that were read for it.

    The folder is a package of its own under a name that is never used again: two configurations may each have
    a `mymodule`, and a file that has changed is read anew.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._package = f"{PREFIX}{next(_counter)}"
        self.files: set[Path] = set()
        package = ModuleType(self._package)
        package.__path__ = [str(folder)]
        sys.modules[self._package] = package

    def find(self, name: str) -> ModuleType:
        """The module of this dotted name.

        Raises:
            NotReady: there is none, or it fails when it is imported.
        """
        try:
            with _importing, self._watched():
                return self._beside(name) or importlib.import_module(name)
        except ModuleNotFoundError as error:
            missing = (error.name or "").removeprefix(f"{self._package}.")
            if missing and (name == missing or name.startswith(f"{missing}.")):
                near = did_you_mean(name, [file.stem for file in self._folder.glob("*.py")])
                raise NotReady(
                    f"there is no module {name!r} beside the configuration file or installed{near}"
                ) from error
            raise NotReady(f"the module {name!r} cannot be imported: {error}") from error
        except (Exception, SystemExit) as error:
            raise NotReady(f"the module {name!r} cannot be imported: {type(error).__name__}: {error}") from error

    def follow(self, module: ModuleType, name: str, attributes: Sequence[str]) -> None:
        """Import the submodules that a dotted name leads through.

        Raises:
            NotReady: a part of the name is neither there nor a submodule.
        """
        for attribute in attributes:
            name = f"{name}.{attribute}"
            if not hasattr(module, attribute):
                setattr(module, attribute, self.find(name))
            if not isinstance(getattr(module, attribute), ModuleType):
                return
            module = getattr(module, attribute)

    def _beside(self, name: str) -> ModuleType | None:
        full = f"{self._package}.{name}"
        if full in sys.modules:
            return sys.modules[full]
        outer, _, last = name.rpartition(".")
        parent = self._beside(outer) if outer else sys.modules[self._package]
        if parent is None:
            return None
        spec = importlib.util.find_spec(full)
        # A folder without Python in it is no module that could hide an installed one.
        if spec is None or (spec.origin is None and _is_installed(name)):
            return None
        module = _executed(spec)
        setattr(parent, last, module)
        return module

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Note what is read in the folder; neighbours that were imported by their plain names are forgotten again."""
        before = set(sys.modules)
        # Python's cache of compiled files tells whole seconds apart only.
        kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            with importable(self._folder):
                importlib.invalidate_caches()
                yield
        finally:
            sys.dont_write_bytecode = kept
            for name in set(sys.modules) - before:
                file = getattr(sys.modules[name], "__file__", None)
                if file and Path(file).is_relative_to(self._folder):
                    self.files.add(Path(file))
                    if not name.startswith(PREFIX):
                        del sys.modules[name]


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Let the folder's modules be imported by their plain names, for so long: another configuration has its own."""
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _executed(spec: ModuleSpec) -> ModuleType:
    module = importlib.util.module_from_spec(spec)
    vars(module).update(GIVEN)
    # Data classes look their module up while it is executed.
    sys.modules[spec.name] = module
    try:
        if spec.loader is not None:
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


def _is_installed(name: str) -> bool:
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return found is not None and found.origin is not None
