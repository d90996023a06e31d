"""Small valid files of every format, and parts to build strange ones from."""

import base64
import gzip
import zipfile
import zlib
from io import BytesIO

import pandas as pd
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from server.tables.writing import write_table

FRAME = pd.DataFrame({"Age": [22.0, 38.5], "Sex": ["male", "female"]})
# The same two rows as an Excel 97 file.
XLS = zlib.decompress(
    base64.b64decode(
        "eNrtWE1oE0EU/maTND+k6aamQiuUUGq1Pxfx4sF2rWB7slQ9WIqgW7MWaUwl9KAetFpzFARPipdCL15avfhDe9CTHoSKHgoFIdGjJ0HBQ5v1"
        "zdtZTWsPDWhQmW+Zb96+92bnZebNbGbfLCeLs49aStiEPgRQdqOoq9AJKlH/xgTZXVeKfh2h4mr8U4hGaCLrQlisfx2WcyjnuwQDD4MviIEP"
        "VE7hIoYmc066hjjMMdhCxtBLLHCfNAk0c1SNzGeZdzAvsOcS8yHW3GLuJd+iGMWyNdR1QGXxiNHGtgTkc59wm1XW7EMTXsksvnZbeL4h9OfP"
        "29m/09AajGMONG+DTs7J29kiUjSBc/jqpoEv/kp9ntb62uoFSP9toz68hf6OEQSm4Z7hBC8gjpcBaQkiY0/Za2gnCVxI3T/uEJ9wLtH9BTvr"
        "0Eo950ghJrdlXsbmhmVcz+kdJ86ggeUkJ7lJG/Xag89vj44NW6dZM81bt7fB75YxwcV12YIaJ9jCYbFvF3M38w1+6i6WW5hTlJpUdww3KWFg"
        "hn1usrWD+tnPeGftqZD3klz4dOxpa+Gj1Uny/GDpSmp+xZpFG71wMtReXjPoET3i3l2JZ5ZfC7UZvGdu/mVjiBimit1Vb7EGrCPGYpLZu5Oj"
        "I5S/2OR/1YixLolR5S9+jKb0N7bwN9i/+6Dn742+HMU+oxGPpZG2qZ+IQUNDQ0NDQ0NDQ6MGEOpvfUAdNELq8BBW33XWqZT1Z5L/FscxSdcU"
        "HUyPIEd1Hperyp+dCAn/WWKbbfzvhRInqfc8JjDGcUxUnb90+BOVv2fbDc3ft4Sq7b9cTZx/uP/vgs3FAQ=="
    )
)
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
OASIS = "urn:oasis:names:tc:opendocument:xmlns"


def feather(table: pa.Table, compression: str | None = None) -> bytes:
    sink = BytesIO()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet(table: pa.Table, **options) -> bytes:
    sink = BytesIO()
    pa.parquet.write_table(table, sink, **options)
    return sink.getvalue()


def zipped(parts: dict[str, str | bytes]) -> bytes:
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return sink.getvalue()


def xlsx(rows: str, shared: str = "", **parts: bytes) -> bytes:
    """A workbook around the rows of its only sheet, with shared strings."""
    link = f'<Relationships xmlns="{PACKAGE}/relationships">'
    return zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
            "_rels/.rels": f'{link}<Relationship Id="a" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
            "</Relationships>",
            "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
            '<sheet name="a" sheetId="1" r:id="a"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'{link}<Relationship Id="a" Type="{OFFICE}/worksheet" '
            f'Target="worksheets/sheet1.xml"/><Relationship Id="b" Type="{OFFICE}/sharedStrings" '
            'Target="sharedStrings.xml"/></Relationships>',
            "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{shared}</sst>',
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>',
            **parts,
        }
    )


def ods(rows: str) -> bytes:
    """An OpenDocument spreadsheet around the rows of its only table."""
    names = " ".join(f'xmlns:{name}="{OASIS}:{name}:1.0"' for name in ("office", "table", "text"))
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": f'<manifest:manifest xmlns:manifest="{OASIS}:manifest:1.0"/>',
            "content.xml": f"<office:document-content {names}><office:body><office:spreadsheet>"
            f'<table:table table:name="a">{rows}</table:table></office:spreadsheet></office:body>'
            "</office:document-content>",
        }
    )


def ods_row(cells: str, repeated: int = 1) -> str:
    return f'<table:table-row table:number-rows-repeated="{repeated}">{cells}</table:table-row>'


def ods_cell(value: float | str | None, repeated: int = 1) -> str:
    repeat = f'table:number-columns-repeated="{repeated}"'
    if value is None:
        return f"<table:table-cell {repeat}/>"
    kind = '"string"' if isinstance(value, str) else f'"float" office:value="{value}"'
    return f"<table:table-cell {repeat} office:value-type={kind}><text:p>{value}</text:p></table:table-cell>"


ODS = ods(
    ods_row(ods_cell("Age") + ods_cell("Sex"))
    + ods_row(ods_cell(22.0) + ods_cell("male"))
    + ods_row(ods_cell(38.5) + ods_cell("female"))
)
FILES = {
    **{name: write_table(FRAME, name) for name in ("csv", "json", "jsonl", "xlsx", "parquet")},
    "tsv": b"Age\tSex\n22\tmale\n38.5\tfemale\n",
    "feather": feather(pa.Table.from_pandas(FRAME)),
    "xls": XLS,
    "ods": ODS,
}
FILES |= {f"{name}.gz": gzip.compress(FILES[name]) for name in ("csv", "tsv", "json", "jsonl")}
