"""The house: imports point down, each library has its homes, files and functions stay short."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = {
    "errors": -1,
    "config": 0,
    "logs": 0,
    "schema": 0,
    "tables": 1,
    "estimators": 1,
    "storage": 1,
    "jobs": 1,
    "tracking": 1,
    "documents": 1,
    "service": 2,
    "web": 3,
    "app": 4,
    "lifecycle": 5,
    "master_log": 5,
    "cli_runs": 5,
    "cli_keys": 5,
    "cli": 6,
}
# HTTP asks services; it never reaches past them.
SHUT = {"web": {"estimators", "storage", "jobs", "tracking", "documents"}}
HOMES = {
    "flask": {"web", "app", "cli", "cli_keys", "cli_runs"},
    "flask_restful": {"web"},
    "flask_limiter": {"web"},
    "limits": {"storage"},
    "werkzeug": {"web"},
    "jinja2": {"web"},
    "apispec": {"web"},
    "click": {"cli", "cli_keys", "cli_runs"},
    "yaml": {"config", "cli"},
    "pydantic": {"config"},
    "pydantic_core": {"config"},
    "sqlalchemy": {"config", "storage", "tracking"},
    "alembic": {"storage"},
    "sklearn": {"estimators"},
    "statsmodels": {"estimators"},
    # In jobs: scikit-learn's parallelism over a cluster.
    "joblib": {"estimators", "jobs"},
    "distributed": {"jobs"},
    "matplotlib": {"estimators"},
    "scipy": {"estimators"},
    "torch": {"estimators"},
    "transformers": {"estimators"},
    "tokenizers": {"estimators"},
    "safetensors": {"estimators"},
    "huggingface_hub": {"estimators"},
    "httpx2": {"estimators"},
    "threadpoolctl": {"app"},
    "deltalake": {"storage"},
    "filelock": {"storage", "tracking"},
    "mlflow": {"tracking"},
    "pyarrow": {"schema", "storage", "tables"},
    "orjson": {"logs", "tables", "web"},
    "prometheus_client": {"web"},
    # In web: what it raises while a body is read.
    "gunicorn": {"master_log", "web"},
    "openpyxl": {"tables"},
    "python_calamine": {"tables"},
    "pypdfium2": {"documents"},
    "docx": {"documents"},
    "lxml": {"documents"},
    "markdown_it": {"documents"},
    "striprtf": {"documents"},
    "pandas": {"schema", "tables", "estimators", "storage", "service", "web"},
    "numpy": {"schema", "tables", "estimators", "service"},
}
MODULES = sorted(ROOT.glob("server/**/*.py"))
FORBIDDEN = {"utils", "helpers", "common", "misc"}


def imported_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write absolute imports"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "server").parts[0].removesuffix(".py")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [path for path in MODULES if room_of(path) != "__init__"], ids=named)
def test_imports_point_down_and_libraries_stay_at_home(path):
    room = room_of(path)
    for name in imported_names(path):
        package, *inner = name.split(".")
        if package == "server":
            other = inner[0]
            down = FLOORS[other] < FLOORS[room] and other not in SHUT.get(room, ())
            assert other == room or down, f"{path} must not import {name}"
        else:
            assert room in HOMES.get(package, {room}), f"{package} belongs in {HOMES[package]}"


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_files_and_functions_are_short(path):
    text = path.read_text()
    assert text.count("\n") <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno + 1 <= 40, f"{node.name} is too long"


def test_every_room_has_a_floor_and_a_name_that_says_what_it_is():
    rooms = {room_of(path) for path in MODULES} - {"__init__"}
    assert rooms == set(FLOORS)
    assert not {part for path in MODULES for part in (*path.parts, path.stem)} & FORBIDDEN


def test_modules_do_not_import_in_rings():
    graph = {}
    for path in MODULES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        graph[module] = {name for name in imported_names(path) if name.startswith("server.")}
    known = set(graph)
    edges = {
        module: {other for name in names for other in known if other in (name, name.rpartition(".")[0])} - {module}
        for module, names in graph.items()
    }
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " → ".join((*way, module))
        if module not in done:
            for other in edges[module]:
                # A package's face imports its modules; they do not import it.
                if not module.startswith(other + "."):
                    visit(other, (*way, module))
            done.add(module)

    for module in edges:
        visit(module, ())


def test_wsgi_only_puts_the_application_together():
    assert len((ROOT / "wsgi.py").read_text().splitlines()) <= 15
