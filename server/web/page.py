"""The endpoint's page: what it predicts, from what, and how to ask."""

from typing import Any
from urllib.parse import urlencode

from flask import Response, render_template

from server.schema import Column
from server.service.endpoint import Endpoint


def endpoint_page(endpoint: Endpoint) -> Response:
    """The page as HTML; also when there is no model yet."""
    served = endpoint.readiness.served_or_none()
    features = served.schema.features if served else ()
    page = render_template(
        "endpoint.html",
        name=endpoint.name,
        pattern=endpoint.entry.pattern,
        recipe=endpoint.recipe(),
        served=served,
        reason=endpoint.readiness.reason(),
        stale=endpoint.stale_reasons(served),
        query=urlencode({column.name: example(column) for column in features}),
    )
    return Response(page, content_type="text/html; charset=utf-8")


def example(column: Column) -> Any:
    """A value that the column could have."""
    if column.categories:
        return column.categories[0]
    if column.minimum is not None and column.maximum is not None:
        middle = (column.minimum + column.maximum) / 2
        return round(middle) if column.kind == "integer" else round(middle, 2)
    return ""
