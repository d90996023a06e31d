"""MLHandler's verbs: parse, one service call, render."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
from flask import Response, request, send_file

from server.config import Scope
from server.errors import BadRequest, InvalidParameter, did_you_mean
from server.service.endpoint import Endpoint
from server.service.prediction import Prediction
from server.service.runs import Runs
from server.web.observation import tell_rows
from server.web.one_row import plain_answer, row_of_query, rows_of_body
from server.web.page import endpoint_page
from server.web.request_data import IGNORED, RequestData, read_request
from server.web.responses import (
    PARTED_FORMATS,
    PREDICTION_FORMATS,
    TABLE_FORMATS,
    chosen_format,
    json_response,
    parts_response,
    picture_response,
    prediction_response,
    table_response,
)
from server.web.runs import accepted, patience, prefix, run_list
from server.web.security import GuardedResource, require
from server.web.template import template_page
from server.web.waiting import waiting

ACTIONS = ("predict", "score", "append", "train", "retrain")
CHANGING = ("append", "train", "retrain")
VIEWS = ("_model", "_params", "_cache", "_download", "_picture", "_runs")
TARGET_OPTIONS = ("target_col", "_target_col")


class MLHandlerResource(GuardedResource):
    """One endpoint's URL."""

    scopes: ClassVar = {"POST": None, "PUT": "train", "DELETE": "admin"}

    def __init__(self, endpoint: Endpoint, runs: Runs) -> None:
        self.endpoint_ = endpoint
        self._runs = runs
        self._limits = endpoint.config.server.limits
        self.takes_other_sites = not endpoint.entry.kwargs.xsrf_cookies

    def subject(self) -> str | None:
        return self.endpoint_.name

    def scope(self) -> Scope | None:
        if request.method not in ("GET", "HEAD"):
            return super().scope()
        query = request.query_string
        # Most requests are rows, whose query is read elsewhere, and sooner; an underscore may be written as %5F.
        names = set(request.args) - IGNORED if b"_" in query or b"%5" in query else None
        views = [name for name in VIEWS if name in names] if names else []
        if "_download" in views:
            return "admin"
        if views:
            return "read"
        asks_nothing = not (query.strip(b"&") if names is None else names)
        # A body's length may not be known before it was read, and one that turns out to be blank makes it a page.
        is_page = asks_nothing and not request.content_length and "Transfer-Encoding" not in request.headers
        return "read" if is_page else "predict"

    def get(self) -> Response:
        """The page, a description, the data, the model, or predictions for the columns given."""
        answer = plain_answer(request, self.few, row_of_query(request.environ, self._limits))
        if answer is not None:
            return answer
        views: dict[str, Callable[[RequestData], Response]] = {
            "_params": lambda data: json_response(self.endpoint_.describe()),
            "_cache": self._stored_rows,
            "_model": lambda data: json_response(self.endpoint_.describe_model()),
            "_download": self._download,
            "_picture": self._picture,
            "_runs": self._list_runs,
        }
        for name, view in views.items():
            if name in request.args:
                # A body here means nothing, and may be anything: it is not read.
                data = RequestData(options={key: values for key, values in request.args.lists() if key[:1] == "_"})
                return view(data)
        data = read_request(request, self._limits)
        if data.is_empty:
            require("read", self.endpoint_.name)
            template = self.endpoint_.entry.kwargs.template
            return template_page(self.endpoint_, Path(template)) if template else endpoint_page(self.endpoint_)
        data.check_options({"_output", "_format", "_action", *VIEWS})
        action = data.option("_action", "predict")
        if action != "predict":
            raise BadRequest(f"_action={action} changes or measures things; send it by POST")
        require("predict", self.endpoint_.name)
        return self._predict(data)

    def post(self) -> Response:
        """The action that _action names; predict by default."""
        # Kept for the usual way, should that have to read it again.
        answer = plain_answer(
            request, self._few_if_allowed, rows_of_body(request.environ, request.get_data, self._limits)
        )
        if answer is not None:
            return answer
        data = read_request(request, self._limits)
        action = data.option("_action", "predict")
        actions: dict[str, Callable[[RequestData], Response]] = {
            "predict": self._predict,
            "score": self._score,
            "append": self._append,
            "train": self._train,
            "retrain": self._train,
        }
        if action not in actions:
            hint = did_you_mean(str(action), ACTIONS) or f"; known: {', '.join(ACTIONS)}"
            raise BadRequest(f"unknown _action {action!r}{hint}")
        require("train" if action in CHANGING else "predict", self.endpoint_.name)
        return actions[action](data)

    def put(self) -> Response:
        """Change class, parameters and options; or train, as in POST."""
        data = read_request(request, self._limits)
        action = data.option("_action")
        if action in ("train", "retrain"):
            return self._train(data)
        if action is not None:
            raise BadRequest(f"PUT knows _action=train and _action=retrain, not {action!r}; the others go by POST")
        data.check_options({"_model", "_action", *TARGET_OPTIONS, "_index_col"})
        given = data.given(self._limits) | {
            name: data.options[name] for name in ("_target_col", "_index_col") if name in data.options
        }
        if not given:
            raise BadRequest("nothing to change; name a class, parameters or options, such as ?class=SGDClassifier")
        if "run" not in given:
            return json_response(self.endpoint_.configure(given))
        if len(given) > 1:
            raise BadRequest(
                "run= serves the model of an earlier run and changes nothing else; send the rest by itself"
            )
        return json_response(self.endpoint_.promote(_one("run", _listed(given["run"]))))

    def delete(self) -> Response:
        """Remove the model, the training data or changed options."""
        data = read_request(request, self._limits, named_options=("delete",))
        data.check_options({"_model", "_cache", "_opts", "delete"})
        if data.fields:
            raise BadRequest(
                f"{next(iter(data.fields))!r} cannot be deleted; use ?_model, ?_cache or ?delete=opts&_opts=…"
            )
        what = [name for name in ("model", "cache") if f"_{name}" in data.options] + data.options.get("delete", [])
        if not what:
            raise BadRequest("nothing to delete; use ?_model, ?_cache, ?delete=model, ?delete=cache or ?delete=opts")
        options = data.options.get("_opts", [])
        if options and "opts" not in what:
            raise BadRequest("_opts names what delete=opts forgets; send both, as in ?delete=opts&_opts=include")
        return json_response(self.endpoint_.forget(list(dict.fromkeys(what)), options))

    def few(self, rows: Sequence[Mapping[str, Any]], options: Mapping[str, str]) -> Any | None:
        """The answer for a few plain rows; None if they are for the usual way."""
        return self.endpoint_.predict_few(rows, options.get("_output"))

    def _few_if_allowed(self, rows: Sequence[Mapping[str, Any]], options: Mapping[str, str]) -> Any | None:
        require("predict", self.endpoint_.name)
        return self.few(rows, options)

    def _predict(self, data: RequestData, rows: pd.DataFrame | None = None) -> Response:
        """The predictions for the rows sent, which may have been read already."""
        data.check_options({"_action", "_output", "_format", *VIEWS})
        format_ = chosen_format(request, data.option("_format"), PREDICTION_FORMATS)
        if rows is None and data.is_one_large_table and format_ in PARTED_FORMATS:
            response = self._predict_parts(data, format_)
            if response is not None:
                return response
        if rows is None:
            rows = data.rows(self._limits, self.endpoint_.text_columns())
        tell_rows(len(rows))
        return prediction_response(self.endpoint_.predict(rows, data.option("_output")), format_)

    def _predict_parts(self, data: RequestData, format_: str) -> Response | None:
        """The predictions for a table too large to be held; None if it must be, all the same."""
        return self.endpoint_.predict_parts(
            data.uploads[0],
            data.option("_output"),
            lambda parts: parts_response(_counted(parts), format_, request.environ),
        )

    def _score(self, data: RequestData) -> Response:
        data.check_options({"_action", "_metric", "_target_col"})
        target = data.option("_target_col")
        fields = dict(data.fields)
        if target is None and "target_col" in fields:
            target = _one("target_col", fields.pop("target_col"))
        data = RequestData(data.options, fields, data.uploads)
        rows = data.rows(self._limits, self.endpoint_.text_columns()) if data.has_rows else None
        tell_rows(0 if rows is None else len(rows), "score")
        return json_response(self.endpoint_.score(rows, data.option("_metric"), target))

    def _append(self, data: RequestData) -> Response:
        data.check_options({"_action"})
        rows = data.typed_rows(self._limits, self.endpoint_.stored_text_columns())
        tell_rows(len(rows), "append")
        return json_response(self.endpoint_.append(rows))

    def _train(self, data: RequestData) -> Response:
        data.check_options({"_action", "_model", *TARGET_OPTIONS, "_index_col"})
        given: dict[str, Any] = dict(data.fields)
        for name in ("_target_col", "_index_col"):
            if name in data.options:
                given[name.removeprefix("_")] = data.options[name]
        texts = self.endpoint_.settings.recipe().text_columns
        rows = RequestData(uploads=data.uploads).rows(self._limits, texts) if data.uploads else None
        tell_rows(0 if rows is None else len(rows), "train")
        with waiting(patience()) as seconds:
            training = self.endpoint_.trainings.begin(rows, given)
            answer = training.answer(seconds)
        if answer is None:
            return accepted(self._runs.show(training.run), prefix(self.endpoint_.config.server.base_url))
        return json_response(answer)

    def _list_runs(self, data: RequestData) -> Response:
        data.check_options({*VIEWS, "_status", "_limit", "_page"})
        return run_list(self._runs, self.endpoint_.name, "_")

    def _stored_rows(self, data: RequestData) -> Response:
        data.check_options({*VIEWS, "_format"})
        format_ = chosen_format(request, data.option("_format"), TABLE_FORMATS)
        rows = self.endpoint_.stored_rows()
        if rows.columns.empty and format_ == "h5":
            raise BadRequest("there is no training data, and HDF5 cannot hold an empty table")
        return table_response(rows, format_, self.endpoint_.name.replace("/", "-"))

    def _download(self, data: RequestData) -> Response:
        data.check_options(VIEWS)
        name, file = self.endpoint_.model_file()
        kind = "application/zip" if name.endswith(".zip") else "application/octet-stream"
        return send_file(file, mimetype=kind, as_attachment=True, download_name=name)

    def _picture(self, data: RequestData) -> Response:
        data.check_options({*VIEWS, "_shape"})
        drawn = self.endpoint_.pictures.drawn(data.option("_picture") or "", data.option("_shape") or "usual")
        return picture_response(request, drawn)


def _counted(predictions: Iterable[Prediction]) -> Iterator[Prediction]:
    """The predictions, of which the rows are counted as they go by."""
    rows = 0
    for prediction in predictions:
        rows += len(prediction.frame)
        tell_rows(rows)
        yield prediction


def _listed(value: Any) -> list[str]:
    """A field's values, or that of a JSON body."""
    return value if isinstance(value, list) else [str(value)]


def _one(name: str, values: list[str]) -> str:
    if len(set(values)) != 1:
        raise InvalidParameter(f"{name} takes one value, not {len(values)}")
    return values[0]
