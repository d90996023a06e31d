"""What a data scientist would run instead: read a file, predict, write the answers. Prints CPU seconds per turn."""

import json
import sys
import time
from pathlib import Path

import joblib
import pandas as pd

READERS = {
    "csv": pd.read_csv,
    "parquet": pd.read_parquet,
    "json": lambda path: pd.DataFrame(json.loads(Path(path).read_text())),
}


def main() -> None:
    """Arguments: the model's file, the rows' file, the number of turns."""
    model = joblib.load(sys.argv[1])
    path = sys.argv[2]
    read = READERS[path.rpartition(".")[2]]
    for _ in range(int(sys.argv[3])):
        begun = time.process_time()
        rows = read(path)
        # The pipeline was fitted on floats; pandas reads whole numbers as integers and gives the same answers.
        answers = model.predict(rows)
        Path(path + ".out").write_text(json.dumps(answers.tolist()))
        print(time.process_time() - begun)


main()
