"""One row, fast: a fitted pipeline as look-ups and arithmetic, used once it was found to answer alike."""

from server.estimators.row_path.path import RowPath
from server.estimators.row_path.steps import NotUnderstood
from server.estimators.row_path.texts import TextPath
from server.estimators.row_path.verification import difference, text_difference

__all__ = ["NotUnderstood", "RowPath", "TextPath", "difference", "text_difference"]
