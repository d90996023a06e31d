"""TextHandler's verbs: a query is classified; everything else is MLHandler's."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pandas as pd
from flask import Response, request

from server.errors import BadRequest, InvalidParameter
from server.service.runs import Runs
from server.service.text import TextEndpoint
from server.web.mlhandler import MLHandlerResource
from server.web.observation import tell_rows
from server.web.request_data import RequestData
from server.web.responses import json_response


class TextHandlerResource(MLHandlerResource):
    """One endpoint's URL."""

    def __init__(self, endpoint: TextEndpoint, runs: Runs) -> None:
        super().__init__(endpoint, runs)
        self._texts = endpoint

    def few(self, rows: Sequence[Mapping[str, Any]], options: Mapping[str, str]) -> Any | None:
        query = self._texts.query
        if query not in rows[0] or ("_action" in options and query == self._texts.text_col):
            return super().few(rows, options)
        if options.keys() - {"_action"}:
            return None
        answers = self._texts.classify_few([row[query] for row in rows])
        return answers[0] if answers is not None and len(answers) == 1 else answers

    def _predict(self, data: RequestData, rows: pd.DataFrame | None = None) -> Response:
        """The query's class and confidence; of several queries, a list; of rows of texts, as MLHandler.

        Where query and column have the same name, a named action tells rows from a query.
        """
        if "_action" in data.options and self._texts.query == self._texts.text_col:
            return super()._predict(data)
        columns = (self._texts.query, self._texts.text_col, *self._texts.text_columns())
        rows = data.rows(self._limits, columns)
        queries = self._queries(data, rows)
        if queries is not None:
            for option in data.options.keys() - {"_action"}:
                raise InvalidParameter(f"{option} has no meaning beside {self._texts.query}; {self._advice()}")
            tell_rows(len(queries))
            answers = self._texts.classify(queries)
            return json_response(answers[0] if len(answers) == 1 else answers)
        if not rows.columns.empty and self._texts.text_col not in rows.columns:
            raise BadRequest(f"there is no text in {', '.join(map(repr, rows.columns[:5]))}; {self._advice()}")
        return super()._predict(data, rows)

    def _queries(self, data: RequestData, rows: pd.DataFrame) -> list[Any] | None:
        """The values of the query, as they were sent; None where there is no such argument."""
        name = self._texts.query
        if len(data.uploads) == 1 and not data.fields:
            try:
                sent = orjson.loads(data.uploads[0].content)
            except orjson.JSONDecodeError:
                sent = None
            # A table would make texts of numbers and lists.
            if isinstance(sent, dict) and name in sent:
                return sent[name] if isinstance(sent[name], list) else [sent[name]]
            if isinstance(sent, list) and sent and all(isinstance(row, dict) and name in row for row in sent):
                return [row[name] for row in sent]
        return rows[name].tolist() if name in rows.columns else None

    def _advice(self) -> str:
        query, column = self._texts.query, self._texts.text_col
        return f"ask {request.path}?{query}=…, or send rows with the column {column!r}"
