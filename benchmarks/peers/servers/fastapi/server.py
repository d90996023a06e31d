"""FastAPI: rows checked by pydantic, a DataFrame, pipeline.predict."""

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = joblib.load("model.pkl")


class Passenger(BaseModel):
    """A row."""

    Pclass: int
    Sex: str
    Age: float
    SibSp: int
    Parch: int
    Fare: float
    Embarked: str


@app.post("/predict")
def predict(passengers: list[Passenger]) -> list[int]:
    """One class for each row."""
    rows = pd.DataFrame([passenger.model_dump() for passenger in passengers])
    return model.predict(rows).tolist()
