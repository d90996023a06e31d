"""The ceiling: a Flask-RESTful resource that computes nothing."""

from flask import Flask
from flask_restful import Api, Resource


class Empty(Resource):
    """Answers what a prediction looks like."""

    def get(self):
        """One constant."""
        return [0]


app = Flask(__name__)
Api(app).add_resource(Empty, "/")
