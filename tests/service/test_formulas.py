"""What a spreadsheet would run as a formula: text in workbooks and in exports, and exact where programs read it."""

import json
from datetime import UTC, datetime
from io import BytesIO

import openpyxl
import pandas as pd
import pytest

from server.config import Limits
from server.service.exports import _harmless
from server.tables.formats import Upload
from server.tables.reading import read_upload
from server.tables.writing import write_table

LIVE = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    '=HYPERLINK("http://x")',
    "=cmd|' /C calc'!A0",
    "'=1",
    "-",
    "plain",
]
FRAME = pd.DataFrame({"=name": LIVE, "y": range(len(LIVE))})


def test_a_workbook_holds_text_and_no_formula():
    sheet = openpyxl.load_workbook(BytesIO(write_table(FRAME, "xlsx"))).active
    assert {cell.data_type for row in sheet.iter_rows(max_col=1) for cell in row} == {"s"}
    assert sheet["A1"].value == "=name"


@pytest.mark.parametrize("name", ["csv", "xlsx", "json", "jsonl", "parquet"])
def test_rows_come_back_as_they_were(name):
    rows = FRAME[~FRAME["=name"].str.contains("\r")] if name == "xlsx" else FRAME
    read = read_upload(Upload(write_table(rows, name), f"x.{name}"), Limits())
    assert read["=name"].tolist() == rows["=name"].tolist()


def exported(feedback):
    row = {"id": 1, "input_data": "{}", "full_response": '{"label": "=1"}', "response": json.dumps("=2")}
    others = {"created_at": datetime.now(UTC), "parent_mlalgorithm": 1, "parent_abtest": None}
    return _harmless(row | others | {"feedback": json.dumps(feedback)})


@pytest.mark.parametrize("text", LIVE)
def test_an_export_for_people_keeps_formulas_as_text(text):
    found = exported(text)
    assert found["feedback"] == (text if text in ("'=1", "plain") else f"'{text}")
    assert (found["response"], found["id"]) == ("'=2", 1)


@pytest.mark.parametrize("number", ["-1.5", "-1e3", "+4", "12"])
def test_numbers_of_an_export_stay_numbers(number):
    assert exported(number)["feedback"] == number
