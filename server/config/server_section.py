"""The section server: of config.yaml, settings of the server as a whole."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from server.config.database_url import checked_url, is_database_url, without_secrets
from server.config.keys import KeysOrFile
from server.config.limits import Limits
from server.config.sections import Columns, Section

# The protocols of Dask's schedulers.
SCHEDULERS = ("tcp", "tls")
SHORTEST_SECRET = 16
TRACKING = ("sqlite", "postgresql", "postgres", "mysql", "mssql", "http", "https", "databricks")


def _tracking(uri: str) -> str:
    scheme = uri.partition(":")[0].partition("+")[0]
    if scheme not in TRACKING:
        raise ValueError(f"{scheme!r} is no kind of MLflow store; a URI begins with one of {', '.join(TRACKING)}")
    return uri


def _registry_url(url: str) -> str:
    kept = ("sqlite", "postgresql")
    if url.partition(":")[0].partition("+")[0] not in kept or not is_database_url(url):
        raise ValueError(f"the registry is kept in {' or '.join(kept)}; write sqlite:///path or postgresql+psycopg://…")
    return checked_url(url)


def _scheduler(address: str) -> str:
    """The address, if it has the form that Dask's scheduler tells at its start."""
    example = "write the address of a Dask scheduler, such as tcp://host:8786"
    shown = without_secrets(address)
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise ValueError(f"{shown!r} has no port; {example}") from None
    if parts.scheme not in SCHEDULERS:
        raise ValueError(f"{shown!r} does not begin with tcp:// or tls://; {example}")
    if not parts.hostname or not port:
        raise ValueError(f"{shown!r} has no {'port' if parts.hostname else 'host'}; {example}")
    if address != f"{parts.scheme}://{parts.netloc}" or "@" in address:
        raise ValueError(f"an address is a host and a port, and no more; {example}")
    return address


def _secret(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < SHORTEST_SECRET:
        raise ValueError(f"a secret has {SHORTEST_SECRET} characters at least; `openssl rand -hex 32` makes one")
    return secret


class RequestsSection(Section):
    """How the registry keeps the requests that it logs."""

    keep_days: float | None = Field(
        default=None, gt=0, le=36_500, description="Days after which requests go; none: never."
    )
    redact: Columns = Field(default=(), description="Columns of which requests are logged without their values.")


class LogSection(Section):
    """What the server logs, and how."""

    format: Literal["text", "json"] = Field(default="text", description="Lines of text, or one JSON object each.")
    requests: bool = Field(default=False, description="Log a line for each request, too.")
    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="The least that is logged.")


class ServerSection(Section):
    """Settings of the server as a whole; each can be set by RESTIMATOR_SERVER__<KEY>, too."""

    models_dir: str = Field(default="models", description="Folder of the endpoints' state: models_dir/<endpoint>/.")
    data_dir: str = Field(default="data", description="Folder of data files; $GRAMEXDATA.")
    base_url: str = Field(default="", description="URL prefix of all endpoints; $YAMLURL.")
    tracking_uri: Annotated[str, AfterValidator(_tracking)] = Field(
        default="sqlite:///$YAMLPATH/models/mlflow.db", description="MLflow tracking store for training runs."
    )
    database: Annotated[str, AfterValidator(_registry_url)] = Field(
        default="sqlite:///$YAMLPATH/models/server.db", description="SQLAlchemy URL of the registry's database."
    )
    requests: RequestsSection = Field(default=RequestsSection(), description="How the registry keeps requests.")
    compute: Annotated[str, AfterValidator(_scheduler)] | None = Field(
        default=None, description="Address of a Dask scheduler whose workers train, such as tcp://host:8786."
    )
    row_path: bool = Field(
        default=True,
        description="off answers single rows by the whole pipeline, too; it is slower, the answers are alike.",
    )
    keys: KeysOrFile | None = Field(
        default=None, description="Keys, or the file that holds them; $RESTIMATOR_KEYS. none: no key is asked for."
    )
    log: LogSection = Field(default=LogSection(), description="What is logged, and how.")
    metrics: bool = Field(default=True, description="off: no figures are kept, and there is no /metrics.")
    drain_seconds: float = Field(
        default=0,
        ge=0,
        le=3600,
        description="How long the server goes on answering after SIGTERM, while /readyz tells load balancers to leave.",
    )
    invocations: str | None = Field(
        default=None, description="The endpoint that answers at /invocations; the only MLHandler endpoint by default."
    )
    limits: Limits = Field(default=Limits(), description="What requests may bring, and what they may cost.")
    trust_models: Literal["any", "digest"] = Field(
        default="any", description="digest reads only model files that this server wrote; a pickle is code."
    )
    model_secret: Annotated[SecretStr, AfterValidator(_secret)] | None = Field(
        default=None,
        description="What signs model files, so that nobody else can write one; $RESTIMATOR_SERVER__MODEL_SECRET.",
    )
    classes: Columns = Field(
        default=(), description="Importable model classes (dotted paths) that endpoints may name beside scikit-learn's."
    )
