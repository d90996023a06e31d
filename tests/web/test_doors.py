"""The same rows through every door, those of other servers' clients among them, are answered alike."""

import json
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest
from mlflow.utils.proto_json_utils import dump_input_data
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput

from server.app import create_app
from server.config import load_config
from server.tables.writing import write_table
from tests.conftest import BriefRunner, wait_until_ready, write_config

pytestmark = pytest.mark.slow
ROWS = 1000
JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
COLORS = [
    "red",
    "blue",
    "it's",
    'say "no"',
    "a,b;c",
    "größe",
    "漢字",
    "😀",
    "line\nbreak",
    "007",
    "1.50",
    "true",
    "=1+1",
]
UNKNOWN = ["never seen", '";--', "ñ", "-3"]
SIZES = [0, -1, 7, 2**31, 2**53, -(2**53)]
WEIGHTS = [0.0, 5e-324, 1e-300, -1e-12, 0.1, 123456.789, 1e15, -1e300, 1e300]
MODELS = {"kind": "LogisticRegression", "price": "LinearRegression"}


def random_rows(count, seed, strange):
    """Rows of all kinds of columns; strange ones have missing cells, unknown categories and extreme numbers."""
    random = np.random.default_rng(seed)

    def cells(usual, rare):
        return [rare[random.integers(len(rare))] if strange and random.random() < 0.2 else one for one in usual]

    return pd.DataFrame(
        {
            "color": pd.Series(cells(random.choice(COLORS, count), [None, *UNKNOWN]), dtype="str"),
            "size": pd.Series(cells(random.integers(0, 50, count), [None, *SIZES]), dtype="Int64"),
            # Digits that every door's text holds.
            "weight": cells([float(f"{one:.12g}") for one in random.normal(5, 2, count)], [np.nan, *WEIGHTS]),
            "sold": pd.Series(cells(random.random(count) < 0.5, [None]), dtype="boolean"),
        }
    )


def endpoint(target):
    model = {"class": MODELS[target], "target_col": target, "exclude": [name for name in MODELS if name != target]}
    return {"pattern": f"/{target}", "handler": "MLHandler", "kwargs": {"data": "rows.csv", "model": model}}


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """A server for each target, so that its only endpoint answers MLflow's clients."""
    folder = tmp_path_factory.mktemp("doors")
    rows = random_rows(400, 0, strange=False)
    score = rows["weight"] + rows["size"] / 10 + rows["color"].map(COLORS.index) + rows["sold"] * 3
    kinds = pd.cut(score, 3, labels=["größer", 'the "rest"', "x"]).astype("str")
    rows = rows.assign(kind=kinds, price=score.round(3))
    made = {}
    for target in MODELS:
        home = folder / target
        home.mkdir()
        rows.to_csv(home / "rows.csv", index=False)
        config = load_config(write_config(home, {"url": {target: endpoint(target)}}), {})
        made[target] = create_app(config, BriefRunner()).test_client()
        wait_until_ready(made[target])
    return made


@pytest.fixture(scope="module")
def rows():
    return random_rows(ROWS, 1, strange=True)


def plain(rows):
    return {name: [None if pd.isna(cell) else cell for cell in rows[name].tolist()] for name in rows}


def texts(rows):
    return {name: ["" if cell is None else str(cell) for cell in cells] for name, cells in plain(rows).items()}


def own(client, target, form, **sent):
    answer = client.open(f"/{target}", query_string={"_output": form}, **sent)
    assert answer.status_code == 200, answer.text
    return answer.json


def by_query(client, target, form, rows):
    query = urlencode(texts(rows) | {"_output": form}, doseq=True)
    return client.get(f"/{target}?{query}").json


def by_single_queries(client, target, form, rows):
    parts = [by_query(client, target, form, rows[place : place + 1]) for place in range(len(rows))]
    return [answer for part in parts for answer in part]


def by_records(client, target, form, rows):
    records = [dict(zip(rows, cells, strict=True)) for cells in zip(*plain(rows).values(), strict=True)]
    return own(client, target, form, method="POST", json=records)


def by_form(client, target, form, rows):
    return own(client, target, form, method="POST", data=texts(rows))


def by_csv(client, target, form, rows):
    return own(client, target, form, method="POST", data=rows.to_csv(index=False), content_type=CSV)


def by_file(kind):
    def ask(client, target, form, rows):
        kinds = {"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "parquet": PARQUET}
        return own(client, target, form, method="POST", data=write_table(rows, kind), content_type=kinds[kind])

    return ask


DATATYPES = {"color": "BYTES", "size": "INT64", "weight": "FP64", "sold": "BOOL"}


def by_tensors(client, target, form, rows):
    inputs = [
        {"name": name, "shape": [len(rows)], "datatype": DATATYPES[name], "data": cells}
        for name, cells in plain(rows).items()
    ]
    wanted = "predict_proba" if form == "proba" else "predict"
    answer = client.post(f"/v2/models/{target}/infer", json={"inputs": inputs, "outputs": [{"name": wanted}]})
    assert answer.status_code == 200, answer.text
    (output,) = answer.json["outputs"]
    if form == "values":
        return output["data"]
    return as_records(json.loads(output["parameters"]["classes"]), np.reshape(output["data"], output["shape"]))


def as_records(classes, probabilities):
    return [dict(zip(classes, row, strict=True)) for row in probabilities.tolist()]


def by_triton(binary):
    def ask(client, target, form, rows):
        inputs = []
        for name in rows:
            # Bytes know neither null nor a missing truth value.
            cells = np.array([str(cell or "").encode() for cell in plain(rows)[name]], dtype=object)
            if name != "color":
                cells = rows[name].to_numpy(dtype=np.float64, na_value=np.nan)
            tensor = InferInput(name, [len(rows), 1], "BYTES" if name == "color" else "FP64")
            tensor.set_data_from_numpy(cells.reshape(-1, 1), binary_data=binary)
            inputs.append(tensor)
        name = "predict_proba" if form == "proba" else "predict"
        wanted = [InferRequestedOutput(name, binary_data=binary)]
        body, length = InferenceServerClient.generate_request_body(inputs, outputs=wanted)
        headers = {"Inference-Header-Content-Length": length} if length else {}
        answer = client.post(f"/v2/models/{target}/infer", data=body, headers=headers)
        assert answer.status_code == 200, answer.text
        length = answer.headers.get("Inference-Header-Content-Length")
        assert (length is not None) == binary
        found = InferenceServerClient.parse_response_body(answer.data, header_length=length and int(length))
        if form == "proba":
            classes = json.loads(found.get_output(name)["parameters"]["classes"])
            return as_records(classes, found.as_numpy(name))
        return [cell.decode() if isinstance(cell, bytes) else cell for cell in found.as_numpy(name).tolist()]

    return ask


def invoked(client, form, body, kind=JSON):
    if kind == JSON:
        body = json.loads(body) if isinstance(body, str) else body
        body = json.dumps(body | {"params": {"output": form}})
    answer = client.post("/invocations", data=body, content_type=kind)
    assert answer.status_code == 200, answer.text
    return answer.json["predictions"]


def by_split(client, target, form, rows):
    """As MLflow's client writes a table of these types; missing numbers are NaN there."""
    table = pd.DataFrame(plain(rows)).astype({"size": "float64", "weight": "float64"})
    body = dump_input_data(table)
    assert "NaN" in body or len(rows) < ROWS
    return invoked(client, form, body)


def by_instances(client, target, form, rows):
    records = [dict(zip(rows, cells, strict=True)) for cells in zip(*plain(rows).values(), strict=True)]
    return invoked(client, form, {"instances": records})


def by_inputs(client, target, form, rows):
    return invoked(client, form, {"inputs": plain(rows)})


def by_lists(client, target, form, rows):
    names = [column["name"] for column in client.get(f"/v2/models/{target}").json["inputs"]]
    lists = list(map(list, zip(*(plain(rows)[name] for name in names), strict=True)))
    return invoked(client, form, {"inputs": lists})


DOORS = {
    "GET": by_query,
    "JSON": by_records,
    "form": by_form,
    "CSV": by_csv,
    "XLSX": by_file("xlsx"),
    "Parquet": by_file("parquet"),
    "V2, JSON": by_tensors,
    "V2, tritonclient's JSON": by_triton(False),
    "V2, tritonclient's bytes": by_triton(True),
    "invocations, dataframe_split": by_split,
    "invocations, instances": by_instances,
    "invocations, inputs": by_inputs,
    "invocations, lists": by_lists,
}


@pytest.fixture(scope="module")
def expected(clients, rows):
    asked = (("kind", "values"), ("kind", "proba"), ("price", "values"))
    return {(target, form): by_records(clients[target], target, form, rows) for target, form in asked}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("target", "form"), [("kind", "values"), ("kind", "proba"), ("price", "values")])
def test_a_thousand_rows_are_answered_alike(clients, rows, expected, door, target, form):
    assert len({str(answer) for answer in expected[target, form]}) > 2
    assert DOORS[door](clients[target], target, form, rows) == expected[target, form]


@pytest.mark.parametrize("kind", [CSV, PARQUET])
@pytest.mark.parametrize("target", MODELS)
def test_tables_at_invocations_are_answered_alike(clients, rows, expected, kind, target):
    body = rows.to_csv(index=False) if kind == CSV else write_table(rows, "parquet")
    assert invoked(clients[target], "values", body, kind) == expected[target, "values"]


@pytest.mark.parametrize("target", MODELS)
def test_a_few_rows_are_answered_as_many(clients, rows, expected, target):
    few = rows[:12]
    for door in (by_single_queries, *DOORS.values()):
        found = door(clients[target], target, "values", few)
        if target == "kind":
            assert found == expected[target, "values"][:12]
        else:
            assert found == pytest.approx(expected[target, "values"][:12], rel=1e-12)
