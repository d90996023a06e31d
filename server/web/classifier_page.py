"""What people see of a document classifier: what it can learn from, its experiments, and how programs ask it."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from flask import Response, render_template, request

from server.errors import NotReady
from server.service.classifier import DocumentClassifier
from server.web.classifier import ROUTES, told
from server.web.responses import html_response, json_response, page_or_json
from server.web.security import GuardedResource

# How many experiments are listed.
SHOWN = 100
LABELS, PATH, EXPERIMENT, RUN_ID = ("cv", "non-cv"), "dataset1", "experiment1", "RUN_ID"


@dataclass(frozen=True)
class Call:
    """One of the routes, what it does, and an example of what it takes."""

    method: str
    route: str
    url: str
    does: str
    takes: Mapping[str, Any]

    @property
    def curl(self) -> str:
        """The example as a command."""
        if self.method == "GET":
            given = [f"--data-urlencode {shlex.quote(f'{name}={value}')}" for name, value in self.takes.items()]
            return " ".join(["curl", *(["-G", *given] if given else []), shlex.quote(self.url)])
        body = shlex.quote(json.dumps(self.takes, ensure_ascii=False))
        return f"curl {shlex.quote(self.url)} -H 'Content-Type: application/json' \\\n  -d {body}"


class ClassifierPage(GuardedResource):
    """The endpoint itself: for people a page, for programs the same as JSON."""

    scopes: ClassVar = {"GET": "read"}

    def __init__(self, classifier: DocumentClassifier) -> None:
        self._classifier = classifier

    def subject(self) -> str | None:
        return self._classifier.name

    def get(self) -> Response:
        is_page = page_or_json(request, "html") == "html"
        reason = None
        try:
            found = self._classifier.latest_runs(SHOWN)
        except NotReady as error:
            if not is_page:
                raise
            found, reason = [], error.detail
        datasets = self._classifier.datasets()
        calls = _calls(self._classifier, datasets, found)
        if is_page:
            response = self._page(found, reason, datasets, calls)
        else:
            experiments = [told(run, labels=False) | {"experiment_name": name} for name, run in found]
            response = json_response(
                {
                    "experiments": experiments,
                    "datasets": [asdict(dataset) for dataset in datasets],
                    "routes": [asdict(call) for call in calls],
                }
            )
        response.vary.add("Accept")
        return response

    def _page(self, found: Any, reason: str | None, datasets: Sequence[Any], calls: Sequence[Call]) -> Response:
        now = datetime.now(UTC)
        experiments = [(name, run, datetime.fromtimestamp(run.start_time / 1000, UTC)) for name, run in found]
        page = render_template(
            "classifier.html",
            classifier=self._classifier,
            experiments=experiments,
            most=SHOWN,
            reason=reason,
            datasets=datasets,
            calls=calls,
            now=now,
        )
        return html_response(page)


def _calls(classifier: DocumentClassifier, datasets: Sequence[Any], found: Sequence[Any]) -> list[Call]:
    """The routes with examples out of what is there."""
    first = next((dataset for dataset in datasets if len(dataset.labels) > 1), None)
    name, run_id = (found[0][0], found[0][1].id) if found else (EXPERIMENT, RUN_ID)
    experiment = {"experiment_name": name}
    # What is copied without a thought must not delete anything.
    deleted = {"experiment_name": EXPERIMENT}
    takes: dict[str, dict[str, Any]] = {
        "process": {
            "labels": list(first.labels if first else LABELS),
            "path": first.path if first else PATH,
            **experiment,
        },
        "predict": {"runid": run_id, "text": "The text of a document"},
        "experiment/soft_delete": deleted,
        "experiment/hard_delete": deleted,
        "run/soft_delete": {"run_id": RUN_ID},
        "all_experiments/last_run": {},
    }
    base = request.url_root.rstrip("/") + classifier.entry.pattern.rstrip("/")
    return [
        Call(
            method="POST" if "POST" in (resource.methods or ()) else "GET",
            route=route,
            url=f"{base}/{route}",
            does=(resource.__doc__ or "").strip(),
            takes=takes.get(route, experiment),
        )
        for route, resource in ROUTES.items()
    ]
