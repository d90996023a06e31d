"""The table of peers: what starts each in the folder with its files and `model.pkl`, and how it is asked."""

from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers.doors import Body, Door, Query, below, first_output, inference_request, named, split
from benchmarks.processes import ROOT

SERVERS = Path(__file__).parent / "servers"


@dataclass(frozen=True)
class Peer:
    """A server that people use for a model like this.

    `command` begins with a program of the peer's environment; `{port}` in it and in the values of `environment` is the
    port to listen on, `{spare}` and `{other}` are two more free ones. `before` runs first, in the same folder. `ready`
    answers a GET with 200 once the model is loaded. `one` takes a single row, `many` any number; None is as `one`.
    Without `installed` it runs in this environment, from files of this package.
    """

    name: str
    command: tuple[str, ...]
    ready: str
    one: Door
    many: Door | None = None
    before: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    installed: bool = True

    @property
    def folder(self) -> Path:
        """Its own files."""
        return SERVERS / self.name


UVICORN = ("uvicorn", "server:app", "--host", "127.0.0.1", "--port", "{port}", "--log-level", "warning")
PEERS = (
    Peer(
        "naive",
        (
            "gunicorn", "benchmarks.naive_server:app", "--pythonpath", str(ROOT), "--bind", "127.0.0.1:{port}",
            "--worker-class", "gthread", "--threads", "8",
        ),
        ready="/",
        one=Query("/"),
        many=Body("/"),
        environment={"NAIVE_MODEL": "model.pkl"},
        installed=False,
    ),
    Peer("fastapi", UVICORN, ready="/docs", one=Body("/predict")),
    Peer(
        "mlserver",
        ("mlserver", "start", "."),
        ready="/v2/models/titanic/ready",
        one=Body("/v2/models/titanic/infer", inference_request, first_output),
        environment={
            "MLSERVER_HTTP_PORT": "{port}",
            "MLSERVER_GRPC_PORT": "{spare}",
            "MLSERVER_METRICS_PORT": "{other}",
        },
    ),
    Peer(
        "bentoml",
        ("bentoml", "serve", "service:Titanic", "--host", "127.0.0.1", "--port", "{port}"),
        ready="/readyz",
        one=Body("/predict", named("rows")),
        environment={"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": "bentoml"},
    ),
    Peer(
        "litserve",
        ("python", "server.py", "{port}"),
        ready="/health",
        one=Body("/predict", named("rows"), below("predictions")),
    ),
    Peer(
        "mlflow",
        (
            "mlflow", "models", "serve", "--model-uri", "model", "--env-manager", "local", "--workers", "1",
            "--host", "127.0.0.1", "--port", "{port}",
        ),
        ready="/ping",
        one=Body("/invocations", split, below("predictions")),
        before=("python", "save.py"),
        environment={"MLFLOW_DISABLE_TELEMETRY": "true"},
    ),
    Peer("vetiver", UVICORN, ready="/ping", one=Body("/predict", unwrap=below("predict"))),
    Peer(
        "ray",
        ("python", "server.py", "{port}"),
        ready="/",
        one=Body("/"),
        environment={"RAY_USAGE_STATS_ENABLED": "0"},
    ),
)  # fmt: skip
