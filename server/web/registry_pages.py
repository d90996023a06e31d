"""What people see of the registry: the endpoints, and the page of one."""

from datetime import UTC, datetime
from urllib.parse import urlencode

from flask import Response, render_template, request

from server.config import SETTABLE
from server.errors import NotReady
from server.service.registry import Registry
from server.service.registry_views import EndpointView, overview
from server.web.charts import interval_chart, requests_chart, score_charts
from server.web.responses import html_response


def overview_page(registry: Registry) -> Response:
    """The endpoints as a page; without a database it says why there are none."""
    try:
        found, reason = overview(registry), registry.reason()
    except NotReady as error:
        found, reason = None, error.detail
    return html_response(
        render_template(
            "registry.html", registry=registry, url=_url(registry), found=found, reason=reason, now=datetime.now(UTC)
        )
    )


def endpoint_page(registry: Registry, view: EndpointView) -> Response:
    """The page of one endpoint."""
    charts = [requests_chart(view.days), *score_charts(view.days)]
    page = render_template(
        "registry_endpoint.html",
        registry=registry,
        view=view,
        url=_url(registry),
        charts=[chart for chart in charts if chart is not None],
        interval=interval_chart(view.moments, view.test["metric"]) if view.test else None,
        tested=[one for one in view.algorithms if one["current_status"] in ("production", "testing")],
        settable=SETTABLE,
        of_endpoint=urlencode({"parent_endpoint": view.endpoint["id"]}),
        now=datetime.now(UTC),
        facts={"api": _url(registry)},
    )
    return html_response(page)


def _url(registry: Registry) -> str:
    return request.script_root + registry.entry.pattern.rstrip("/")
