"""The form of a prediction: one field for each column that the model takes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from server.schema import NUMERIC, Column, Kind
from server.service.training_arguments import Argument
from server.web.wording import shown

LINE = 80


@dataclass(frozen=True)
class Field:
    """One field; `value` is what stands in it at first.

    `control` is number, select, date, datetime-local, text or textarea. A number may have a `least`, a `most` and a
    `step`; `default` is what an empty field stands for.
    """

    name: str
    control: str
    value: str
    hint: str = ""
    choices: tuple[str, ...] = ()
    least: str = ""
    most: str = ""
    step: str = "any"
    default: str = ""


def fields(columns: tuple[Column, ...], example: Mapping[str, Any], days: Collection[str] = ()) -> list[Field]:
    """The fields for the columns, filled with the example's cells; those named in `days` hold dates."""
    return [_field(column, example.get(column.name), column.name in days) for column in columns]


def argument_field(argument: Argument) -> Field:
    """The field of a training argument, with its bounds and what holds if it stays empty."""
    least, most = shown(argument.least), f"{argument.most:,}"
    usual = "chosen by the model's size" if argument.default is None else shown(argument.default)
    hint = f"{least} to {most}" if argument.takes_least else f"above {least}, up to {most}"
    return Field(
        argument.name,
        "number",
        _text(argument.value),
        f"{hint}; if empty, {usual}",
        least=least,
        most=str(argument.most),
        step="1" if argument.is_whole else "any",
        default=str(argument.default),
    )


def _field(column: Column, cell: Any, is_day: bool) -> Field:
    value = _text(cell)
    if is_day:
        return Field(column.name, "date", value.removesuffix("T00:00:00"))
    if column.kind is Kind.DATETIME or isinstance(cell, datetime):
        return Field(column.name, "datetime-local", value)
    choices = (
        ("true", "false") if column.kind is Kind.BOOLEAN else tuple(_text(item) for item in column.categories or ())
    )
    if choices:
        return Field(column.name, "select", value if value in choices else "", "", choices)
    if column.kind in NUMERIC:
        seen = column.minimum is not None and column.maximum is not None
        hint = f"{shown(column.minimum)} to {shown(column.maximum)}" if seen else ""
        return Field(column.name, "number", value, hint)
    return Field(column.name, "textarea" if "\n" in value or len(value) > LINE else "text", value)


def _text(cell: Any) -> str:
    """The cell as a request may send it; a missing one is empty."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat()
    if isinstance(cell, bool):
        return str(cell).lower()
    return str(cell).removesuffix(".0") if isinstance(cell, float) else str(cell)
