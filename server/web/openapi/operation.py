"""One operation of the description: what a method of a path takes, and everything that it can answer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from server.web.responses import PROBLEM

Schema = Mapping[str, Any]
# Schemas by content type.
Content = Mapping[str, Schema]
JSON, HTML, CSV = "application/json", "text/html", "text/csv"
BINARY: Schema = {"type": "string", "format": "binary"}
TEXT: Schema = {"type": "string"}
FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
MEANINGS = {
    200: "The answer",
    201: "What was made",
    202: "The training goes on; Location says where to look",
    304: "Unchanged since it was fetched with this ETag",
    400: "The request's content is wrong; the sentence says what, and what would be right",
    401: "The server asks for a key, and the request brings none that it knows",
    403: "The key does not open this, or another site's page sent it",
    404: "There is no such thing, or no trained model",
    409: "What is stored does not allow it",
    413: "Larger than a limit, which is named with its setting",
    415: "A format that is not read",
    429: "More requests or trainings than a limit allows; Retry-After says when to ask again",
    500: "The server failed; nothing was changed",
    503: "Not ready yet, or not to be had; the sentence says why",
}


@dataclass(frozen=True)
class Operation:
    """What one method of a path does.

    `answers` holds the contents by status; of the statuses in `refusals` a problem document tells the reason.
    `is_open` says that no key is asked for, `is_page` that a browser is shown a page, and so may be asked for the key;
    `told` is what tells the reason of a refusal.
    """

    id: str
    summary: str
    tag: str
    answers: Mapping[int, Content]
    refusals: tuple[int, ...] = (400,)
    parameters: tuple[Schema, ...] = ()
    body: Content = field(default_factory=dict)
    body_required: bool = False
    description: str = ""
    headers: Mapping[int, Mapping[str, Schema]] = field(default_factory=dict)
    changes: bool = False
    is_open: bool = False
    is_page: bool = False
    told: Content = field(default_factory=lambda: {PROBLEM: reference("Problem")})

    def to_dict(self, with_keys: bool, rated: bool = False) -> dict[str, Any]:
        """The Operation Object; `with_keys` says that the server asks for keys, `rated` that it counts requests."""
        told: dict[str, Any] = {"operationId": self.id, "summary": self.summary, "tags": [self.tag]}
        if self.description:
            told["description"] = self.description
        if self.parameters:
            told["parameters"] = list(self.parameters)
        if self.body:
            told["requestBody"] = {"required": self.body_required, "content": _contents(self.body)}
        told["responses"] = {str(status): told for status, told in sorted(self._responses(with_keys, rated).items())}
        if with_keys and self.is_open:
            told["security"] = []
        return told

    def _responses(self, with_keys: bool, rated: bool) -> dict[int, dict[str, Any]]:
        asked = with_keys and not self.is_open
        refusals = {*self.refusals, 500, *((401, 403) if asked else ()), *((403,) if self.changes else ())}
        refusals |= {429} if rated else set()
        found: dict[int, dict[str, Any]] = {}
        for status in (*self.answers, *refusals):
            content = dict(self.answers.get(status, {}))
            if status in refusals:
                content |= {
                    kind: any_of(content[kind], one) if kind in content else one for kind, one in self.told.items()
                }
            if status == 401 and self.is_page:
                content[HTML] = TEXT
            found[status] = {"description": MEANINGS[status]}
            if content:
                found[status]["content"] = _contents(content)
            if status in self.headers:
                found[status]["headers"] = dict(self.headers[status])
        return found


def _contents(content: Content) -> dict[str, Any]:
    return {type_: {"schema": schema} for type_, schema in content.items()}


def reference(name: str) -> Schema:
    """A schema among the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def option(name: str, schema: Schema, description: str, **more: Any) -> Schema:
    """A parameter of the query that may be left out."""
    return {"name": name, "in": "query", "schema": schema, "description": description, **more}


def flag(name: str, description: str) -> Schema:
    """A parameter of the query of which only the name counts."""
    return option(name, TEXT, description, allowEmptyValue=True)


def in_path(name: str, description: str, schema: Schema = TEXT) -> Schema:
    """A part of the path."""
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": description}


def list_of(items: Schema) -> Schema:
    """A list of these."""
    return {"type": "array", "items": items}


def one_of(values: Iterable[Any]) -> Schema:
    """One of the values."""
    return {"enum": list(values)}


def any_of(*schemas: Schema) -> Schema:
    """What fits any of the schemas."""
    return schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}


def record(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """An object with these properties, of which the first must be there."""
    return {"type": "object", "properties": {**required, **optional}, "required": list(required)}


def nullable(type_: str, **more: Any) -> Schema:
    """A value of the type, or null."""
    return {"type": [type_, "null"], **more}
