"""What people see of runs: the list of them, and the page of one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from flask import Response, render_template, request

from server.service.runs import STATUSES, RunView
from server.web.page import picture_words
from server.web.responses import html_response
from server.web.wording import instant

# How many runs a page lists, if not told otherwise.
ON_PAGE = 25


def list_page(found: list[dict[str, Any]], following: str | None, patterns: Mapping[str, str]) -> Response:
    """The runs found as a page; `following` is the address of the next one, `patterns` has the paths of endpoints."""
    asked = {name: value for name, value in request.args.items() if value and name != "_format"}
    page = render_template(
        "runs.html",
        found=found,
        following=following,
        patterns=patterns,
        statuses=STATUSES,
        asked=asked,
        as_json=f"?{urlencode(asked | {'_format': 'json'})}",
        now=datetime.now(UTC),
        facts={"limit": request.args.get("limit", ON_PAGE), "runs": [state_of(run) for run in found]},
    )
    return html_response(page)


def run_page(view: RunView, patterns: Mapping[str, str]) -> Response:
    """The page of one run."""
    run, now = view.run, datetime.now(UTC)
    pattern = patterns.get(run["endpoint"])
    url = request.script_root + pattern if pattern else None
    ended = instant(run["end_time"]) if run["end_time"] else None
    page = render_template(
        "run.html",
        run=run,
        before=view.before,
        pictures=[picture_words(name, "rows that it learned from") for name in view.pictures],
        url=url,
        can_serve=view.can_serve,
        now=now,
        facts={
            "url": url,
            "state": state_of(run),
            "elapsed": (now - instant(run["start_time"])).total_seconds(),
            "sinceEnd": (now - ended).total_seconds() if ended else None,
            "hasLosses": ended is None or "loss" in run["metrics"],
        },
    )
    return html_response(page)


def state_of(run: dict[str, Any]) -> list[Any]:
    """What makes a page of the run out of date when it changes."""
    return [run["run_id"], run["status"], run["serving"], len(run["metrics"])]
