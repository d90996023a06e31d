"""Experiments and runs in MLflow, the only room that knows it."""

from server.tracking.runs import ENDED, Experiment, Run, Status

__all__ = ["ENDED", "Experiment", "Run", "Status"]
