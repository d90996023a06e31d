"""pydantic's errors as sentences with the YAML path and the nearest valid name."""

from collections.abc import Iterable
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from server.config.database_url import without_secrets
from server.config.keys import ELSEWHERE, IN_THE_FILE
from server.errors import Problem, did_you_mean

# What is no text in the file is not to be shown all the same.
HIDDEN = ("model_secret",)
# pydantic names types of Python where the file has sections and lists.
SHAPES = {
    "model_type": "this must be a section of keys and values",
    "dict_type": "this must be a section of keys and values",
    "tuple_type": "this must be a list",
    "list_type": "this must be a list",
}


def problems_of(model: type[BaseModel], errors: Iterable[ErrorDetails]) -> list[Problem]:
    """One problem per error; the path is written with dots, as in `url.titanic.kwargs.model.clas`."""
    problems: dict[str, Problem] = {}
    for error in errors:
        problem = _problem(model, error)
        # A union reports one error per branch; one sentence is enough.
        problems.setdefault(problem.pointer, problem)
    return list(problems.values())


def _problem(model: type[BaseModel], error: ErrorDetails) -> Problem:
    location = [part for part in error["loc"] if not _is_union_branch(part)]
    # Of a section that may be one of several kinds, pydantic tells the kind as a part of the path.
    handler = location.pop(2) if len(location) > 2 and location[0] == "url" else None
    path = ".".join(str(part) for part in location)
    kind = error["type"]
    if kind == "union_tag_not_found":
        return Problem(f"{path}.handler", "this key is required")
    if kind == "union_tag_invalid":
        return Problem(f"{path}.handler", f"unknown handler; known: {error['ctx']['expected_tags']}")
    if kind == "extra_forbidden":
        known = _keys_at(model, location[:-1], handler)
        name = str(location[-1])
        hint = did_you_mean(name, known, most=1) or f"; known keys: {', '.join(sorted(known))}"
        return Problem(path, f"unknown key{hint}")
    if kind == "missing":
        return Problem(path, "this key is required")
    if kind == "value_error":
        return Problem(path, str(error["ctx"]["error"]))
    message = SHAPES.get(kind) or error["msg"][0].lower() + error["msg"][1:]
    if location[-1:] and location[-1] in HIDDEN:
        return Problem(path, f"{message}; write it in quotes")
    return Problem(path, f"{message}, not {_shown(error['input'])}")


def _is_union_branch(part: str | int) -> bool:
    return isinstance(part, str) and (
        part in ("bool", IN_THE_FILE, ELSEWHERE) or part.startswith(("tuple[", "function-"))
    )


def _shown(value: Any) -> str:
    text = repr(without_secrets(value))
    return text if len(text) <= 60 else text[:57] + "…"


def _keys_at(model: type[BaseModel], location: Iterable[str | int], handler: str | int | None) -> set[str]:
    """The keys that the section at this place of the file knows, of an endpoint with this handler."""
    current: Any = model
    for part in location:
        if isinstance(part, int):
            current = get_args(_list_in(current))[0]
        elif get_origin(current) is dict:
            current = get_args(current)[1]
        elif section := _section_in(current, handler):
            fields = {(field.alias or name): field.annotation for name, field in section.model_fields.items()}
            current = fields.get(str(part))
    section = _section_in(current, handler)
    return {field.alias or name for name, field in section.model_fields.items()} if section else set()


def _list_in(annotation: Any) -> Any:
    """The type of a list within an annotation: itself, or a branch of a union."""
    if get_origin(annotation) is tuple:
        return annotation
    return next(filter(None, map(_list_in, get_args(annotation))), None)


def _section_in(annotation: Any, handler: str | int | None) -> type[BaseModel] | None:
    """The section class within an annotation: itself, or a branch of a union; of endpoints, the handler's."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        named = annotation.model_fields.get("handler")
        return annotation if named is None or handler is None or handler in get_args(named.annotation) else None
    return next(filter(None, (_section_in(branch, handler) for branch in get_args(annotation))), None)
