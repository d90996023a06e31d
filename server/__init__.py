"""Restimator: machine-learning models as REST APIs, from one config.yaml."""
