"""The server of a tutorial: unpickle, DataFrame, pipeline.predict."""

import os

import joblib
import pandas as pd
from flask import Flask, request
from flask_restful import Api, Resource

model = joblib.load(os.environ["NAIVE_MODEL"])
NUMBERS = ("Age", "Fare", "SibSp", "Parch", "Pclass")


class Predict(Resource):
    """One row by GET, rows as JSON by POST."""

    def get(self):
        """Predict the row in the query."""
        if not request.args:
            return []
        row = {name: float(value) if name in NUMBERS else value for name, value in request.args.items()}
        return model.predict(pd.DataFrame([row])).tolist()

    def post(self):
        """Predict the rows in the body."""
        return model.predict(pd.DataFrame(request.get_json())).tolist()


app = Flask(__name__)
Api(app).add_resource(Predict, "/")
