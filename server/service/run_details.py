"""What a run tells beside its training score: a score on rows held out, and the pictures of the page.

Both cost more than many a training, so they come once the training has been answered.
"""

import logging
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from server.errors import BadRequest, ServerError
from server.estimators.base import ModelKind
from server.estimators.pictures import draw, picture_names
from server.estimators.texts import TEXT_FAMILIES
from server.service.fitting import PREDICTING, Fitted, fit
from server.service.pictures import MOST_ROWS, MOST_TEXTS, sample
from server.service.preparation import Prepared
from server.service.recipe import Recipe
from server.service.run_book import PICTURES
from server.service.run_log import RunLog
from server.storage.files import Lock

logger = logging.getLogger(__name__)
HELD_OUT = "held_out_score"
# The share of rows held out, and the fewest rows of which any are.
SHARE, FEWEST = 0.2, 20
# A fit is repeated without these rows if it took at most this long, and before the answer if it was quick; seconds.
LONGEST, QUICK = 60.0, 0.2


@dataclass(frozen=True)
class RunDetails:
    """The details of one training: its rows, what was to be fitted, and what came of it in how many seconds.

    `lock` is held by the details of one training at a time.
    """

    log: RunLog
    lock: Lock
    prepared: Prepared
    recipe: Recipe
    allowed: tuple[str, ...]
    fitted: Fitted
    seconds: float

    def hold_out_if_quick(self) -> None:
        """Record the score on rows held out, where that takes no time to speak of."""
        if self.seconds <= QUICK:
            self._hold_out()

    def complete(self) -> None:
        """Record what is not recorded yet; what cannot be had is left out, and the log says why."""
        try:
            # Trainings that follow fast upon one another would crowd the machine with what nobody waits for.
            with self.lock.held():
                if QUICK < self.seconds <= LONGEST:
                    self._hold_out()
                self._draw()
        except (ServerError, OSError) as error:
            logger.warning("run %s has not all its details: %s", self.log.run, error)

    def _hold_out(self) -> None:
        score = held_out_score(self.prepared, self.recipe, self.allowed, self.fitted)
        if score is not None:
            self.log.score(HELD_OUT, score)

    def _draw(self) -> None:
        estimator, schema = self.fitted.estimator, self.fitted.schema
        names = picture_names(estimator, schema.target is not None)
        if not names:
            return
        target = schema.target.name if schema.target else None
        rows = sample(self.prepared.rows, target, MOST_TEXTS if estimator.is_folder else MOST_ROWS)
        features, values = schema.parse_features(rows), schema.parse_target(rows) if schema.target else None
        remembering = estimator.remembering()
        with tempfile.TemporaryDirectory() as folder:
            for name in names:
                try:
                    (Path(folder) / f"{name}.svg").write_bytes(draw(remembering, name, features, values, "usual"))
                except BadRequest as error:
                    logger.info("run %s has no picture %s: %s", self.log.run, name, error.detail)
            self.log.artifact(PICTURES, Path(folder))


def held_out_score(prepared: Prepared, recipe: Recipe, allowed: tuple[str, ...], fitted: Fitted) -> float | None:
    """The score of the same recipe fitted without some of the rows, on these; None where rows or model forbid it.

    A forecast is held against the last rows, anything else against rows drawn by lot. A text model is not trained
    a second time.
    """
    target, rows = fitted.schema.target, prepared.rows
    is_text = recipe.find_class(allowed) in TEXT_FAMILIES
    if is_text or fitted.score is None or target is None or fitted.estimator.kind not in PREDICTING:
        return None
    if len(rows) < FEWEST:
        return None
    count = round(len(rows) * SHARE)
    order = np.arange(len(rows))
    if fitted.estimator.kind is not ModelKind.FORECASTER:
        order = np.random.default_rng(0).permutation(order)
    train, test = np.sort(order[:-count]), np.sort(order[-count:])
    part = replace(prepared, rows=rows.iloc[train].reset_index(drop=True))
    held_out = rows.iloc[test].reset_index(drop=True)
    try:
        other = fit(part, recipe, allowed)
        scores = other.estimator.scores(other.schema.parse_features(held_out), other.schema.parse_target(held_out))
    except ServerError as error:
        logger.info("no score on rows held out: %s", error.detail)
        return None
    return next(iter(scores.values()), None)
