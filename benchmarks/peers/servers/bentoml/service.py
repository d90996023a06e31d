"""BentoML: a service whose argument is a DataFrame."""

import bentoml
import joblib
import pandas as pd


@bentoml.service(workers=1)
class Titanic:
    """Loads the pickle once per worker."""

    def __init__(self) -> None:
        self.model = joblib.load("model.pkl")

    @bentoml.api
    def predict(self, rows: pd.DataFrame) -> list[int]:
        """One class for each row."""
        return self.model.predict(rows).tolist()
