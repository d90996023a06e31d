"""Running a function elsewhere: in this process (tests), in a process of its own, or on a Dask cluster."""

from server.jobs.cluster import ClusterRunner, cluster_problems
from server.jobs.launcher import Afterwards
from server.jobs.runner import InlineRunner, ProcessRunner, Runner

__all__ = ["Afterwards", "ClusterRunner", "InlineRunner", "ProcessRunner", "Runner", "cluster_problems"]
