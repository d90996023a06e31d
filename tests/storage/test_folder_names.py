"""The state may lie anywhere: names of folders mean nothing."""

import pandas as pd
import pytest

from server.storage.files import Lock
from server.storage.training_data import TrainingData

ROWS = pd.DataFrame({"a": [1, 2, 3]})


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "my models",
        "modèles",
        "100%",
        "a+b",
        "a'b",
    ],
)
def test_rows_are_stored_in_a_folder_of_any_name(tmp_path, name):
    data = TrainingData(tmp_path / name, Lock(tmp_path / "data.lock"))
    data.replace(ROWS, "source")
    data.append(ROWS)
    assert data.read()["a"].tolist() == [1, 2, 3, 1, 2, 3]
