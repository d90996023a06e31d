"""Running a function elsewhere: in this process (tests), or in a process of its own."""

from server.jobs.runner import InlineRunner, ProcessRunner, Runner

__all__ = ["InlineRunner", "ProcessRunner", "Runner"]
