"""A user's own page: a Jinja2 template of the configuration, which is trusted, with endpoint and data at hand."""

import re
import traceback
from collections.abc import Iterator, Mapping
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, Self

import pandas as pd
from flask import Response, request
from jinja2 import (
    ChainableUndefined,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
    select_autoescape,
)
from werkzeug.local import LocalProxy

from server.errors import NotReady, TemplateFailed
from server.service.endpoint import Endpoint

# Statements that only Tornado knows, told from Jinja2's of the same name, and how Jinja2 says it.
TORNADO = (
    (r"end", "{% endif %}, {% endfor %} or {% endblock %}, by what it ends"),
    (r"raw\s+\S.*", "{{ … | safe }}"),
    (r"module\s.*", "{% include 'file' %} or a macro"),
    (r"apply\s.*", "{% filter name %} … {% endfilter %}"),
    (r"comment\s.*", "{# … #}"),
    (r"(try|except.*|finally)", "a test such as {% if x is defined %}"),
    (r"(while\s.*|break|continue)", "{% for x in … if … %}"),
    (r"whitespace\s.*", "{%- … -%}"),
    (r"autoescape\s+\w+", "{% autoescape false %} … {% endautoescape %}"),
    (
        r"(import\s+[\w.]+(\s*,.*)?|from\s.*\simport\s+\*)",
        "what a transform or the data bring; {% import 'file' as x %} takes macros",
    ),
)
STATEMENT = re.compile(r"\{%[-+]?\s*(.*?)\s*[-+]?%\}", re.DOTALL)
# Comments and raw text, where a statement is none.
SHOWN = re.compile(r"\{#.*?#\}|\{%[-+]?\s*raw\s*[-+]?%\}.*?\{%[-+]?\s*endraw\s*[-+]?%\}", re.DOTALL)
UNKNOWN = re.compile(r"unknown tag '(\w+)'")


# What Jinja2 calls the things that a template knows by other names.
STAND_INS = {
    "'werkzeug.local.LocalProxy object'": "'data'",
    "'server.web.template.Handler object'": "'handler'",
    "'server.web.template.Store object'": "'handler.store'",
}


class NoModel(ChainableUndefined):
    """Stands for the model while there is none: empty, false, and so is all that is asked or computed of it."""

    def _same(self, *_: Any, **__: Any) -> Self:
        return self

    def _false(self, *_: Any) -> bool:
        return False

    def __repr__(self) -> str:
        return ""

    def __format__(self, _: str) -> str:
        return ""

    def __float__(self) -> float:  # type: ignore[override]
        return float("nan")

    __call__ = __round__ = __abs__ = __pos__ = __neg__ = _same  # type: ignore[assignment]
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _same  # type: ignore[assignment]
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = _same  # type: ignore[assignment]
    __mod__ = __rmod__ = __pow__ = __rpow__ = _same  # type: ignore[assignment]
    __lt__ = __le__ = __gt__ = __ge__ = _false  # type: ignore[assignment]
    # Templates ask for the name of the model's class, and this one's is no answer.
    __class__ = property(_same)


class Store(Mapping[str, Any]):
    """The endpoint's options, class and parameters, by name: store.target_col, store["cats"], store.load("class")."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError as error:
            raise AttributeError(name) from error

    def load(self, name: str, default: Any = None) -> Any:
        """The value, or the default."""
        return self._values.get(name, default)

    def model_kwargs(self) -> dict[str, Any]:
        """The parameters of the class."""
        return dict(self._values["params"])


class Handler:
    """What a template knows as `handler`."""

    # The forms of Gramex's pages send it; requests are told from foreign ones by their headers here.
    xsrf_token = ""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.name = endpoint.name
        self.path = endpoint.entry.pattern
        self.kwargs = endpoint.entry.kwargs
        self.request = request

    @cached_property
    def model(self) -> Any:
        """The estimator itself, the last step of a pipeline; empty while there is none."""
        served = self._endpoint.readiness.served_or_none()
        return served.estimator.estimator if served else NoModel(name="handler.model")

    @cached_property
    def store(self) -> Store:
        """Options, class and parameters, as the next training will have them."""
        recipe = self._endpoint.settings.recipe()
        model = {"class": recipe.class_name, "params": recipe.params}
        options = recipe.options.to_dict()
        return Store({**options, **model, "transform": options, "model": model})


def template_page(endpoint: Endpoint, path: Path) -> Response:
    """The rendered template.

    Raises:
        TemplateFailed: it is missing or fails; file and line are named.
    """
    template = check_template(path)
    data = LocalProxy(cache(partial(_rows, endpoint)))
    try:
        page = template.render(handler=Handler(endpoint), data=data)
    except TemplateSyntaxError as error:
        raise _syntax_failure(error, path) from error
    except TemplateNotFound as error:
        raise TemplateFailed(f"template {path.name}{_line(error, path)}: there is no file {error.name!r}") from error
    except Exception as error:  # noqa: BLE001 - a template can call anything
        reason = str(error)
        for stand_in, name in STAND_INS.items():
            reason = reason.replace(stand_in, name)
        raise TemplateFailed(f"template {path.name}{_line(error, path)}: {type(error).__name__}: {reason}") from error
    return Response(page, content_type="text/html; charset=utf-8")


def _rows(endpoint: Endpoint) -> pd.DataFrame:
    """The training data; none while their source cannot be read, which predictions and /readyz tell."""
    try:
        return endpoint.stored_rows()
    except NotReady:
        return pd.DataFrame()


def check_template(path: Path) -> Any:
    """The parsed template; a file that has changed is read anew.

    Raises:
        TemplateFailed: there is no such file, or it is no template.
    """
    try:
        return _environment(path.parent).get_template(path.name)
    except TemplateSyntaxError as error:
        raise _syntax_failure(error, path) from error
    except TemplateNotFound as error:
        raise TemplateFailed(f"the template {path} does not exist") from error
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateFailed(f"the template {path} cannot be read: {error}") from error


@cache
def _environment(folder: Path) -> Environment:
    return Environment(
        loader=FileSystemLoader(folder), autoescape=select_autoescape(default=True), undefined=StrictUndefined
    )


def _syntax_failure(error: TemplateSyntaxError, path: Path) -> TemplateFailed:
    file = Path(error.filename) if error.filename else path
    blamed = [found for found in _tornado_statements(error.source or "") if _is_cause(found[0], found[1], error)]
    if blamed:
        line, statement, remedy = blamed[-1]
        return TemplateFailed(
            f"template {file.name}, line {line}: {{% {statement} %}} is Tornado's; Jinja2 writes {remedy}"
        )
    return TemplateFailed(f"template {file.name}, line {error.lineno}: {error.message}")


def _is_cause(line: int, statement: str, error: TemplateSyntaxError) -> bool:
    """Whether Jinja2 stumbled over this statement."""
    word = statement.split()[0]
    if word == "autoescape":
        # Jinja2 knows it, and looks for its end until another block's, or the file's.
        return "innermost block that needs to be closed is 'autoescape'" in (error.message or "")
    unknown = UNKNOWN.search(error.message or "")
    return line == error.lineno and (unknown is None or unknown[1] == word)


def _tornado_statements(text: str) -> Iterator[tuple[int, str, str]]:
    text = SHOWN.sub(lambda shown: "\n" * shown[0].count("\n"), text)
    for found in STATEMENT.finditer(text):
        for pattern, remedy in TORNADO:
            if re.fullmatch(pattern, found[1], re.DOTALL):
                yield text.count("\n", 0, found.start(1)) + 1, found[1], remedy


def _line(error: Exception, path: Path) -> str:
    """Where in the template, or in one that it includes, the error arose."""
    frames = traceback.walk_tb(error.__traceback__)
    # Jinja2 puts frames of its own making in the place of the compiled template's.
    own = [(frame.f_code.co_filename, line) for frame, line in frames if "__jinja_exception__" in frame.f_globals]
    if not own:
        return ""
    file, line = own[-1]
    named = "" if file == str(path) else f", file {Path(file).name}"
    return f"{named}, line {line}"
