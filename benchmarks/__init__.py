"""Measures the real server beside an empty Flask-RESTful resource and a plain script, in one run."""
