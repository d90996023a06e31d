"""Running a function elsewhere: in this process (tests), or in a process of its own."""

from server.jobs.launcher import Afterwards
from server.jobs.runner import InlineRunner, ProcessRunner, Runner

__all__ = ["Afterwards", "InlineRunner", "ProcessRunner", "Runner"]
