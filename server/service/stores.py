"""Opening what an endpoint keeps: its state, and the model that serves."""

from pathlib import Path

from server.config import Config, TextModelOptions
from server.estimators.catalogue import TEXT_CLASSES
from server.estimators.pretrained import Pretrained
from server.service.serving import Brought, ModelCache
from server.storage.endpoint_store import EndpointStore
from server.storage.model_store import ModelStore
from server.storage.trust import Trust


def trust_of(config: Config) -> Trust:
    """Which model files the server reads, and how it signs its own."""
    secret = config.server.model_secret
    return Trust(config.server.trust_models == "digest", secret.get_secret_value().encode() if secret else None)


def open_store(config: Config, endpoint: str) -> EndpointStore:
    """The endpoint's state."""
    if endpoint in config.classifiers:
        # What a classifier of documents keeps while it trains; its models belong to runs.
        return EndpointStore(config.state_folder(endpoint), trust=trust_of(config))
    model = config.models[endpoint].kwargs.model
    path, vectorizer = (Path(name) if name else None for name in (model.path, getattr(model, "vectorizer", None)))
    folder = config.state_folder(endpoint)
    if config.models[endpoint].model_class in TEXT_CLASSES or (path and path.is_dir()):
        return EndpointStore(folder, model_folder=path, trust=trust_of(config))
    return EndpointStore(folder, path, vectorizer, trust=trust_of(config))


def open_models(config: Config, endpoint: str, store: EndpointStore) -> ModelCache:
    """The endpoint's serving model, read when it is asked for."""
    entry = config.models[endpoint]
    model = entry.kwargs.model
    text_class = TEXT_CLASSES.get(entry.model_class or "")
    brought = _brought(config, endpoint)
    if text_class is None or model.path:
        return ModelCache(store.model, brought, row_path=config.server.row_path)
    pretrained = Pretrained(text_class(model.params.get("model")).model)
    return ModelCache(store.model, brought, pretrained, lambda: store.state().get("state") != "deleted")


def open_model_of_run(config: Config, endpoint: str, path: Path) -> ModelCache:
    """The model that one of the endpoint's runs left, a file or a folder at the path."""
    trust = trust_of(config)
    store = (
        ModelStore(path.with_name("model.pkl"), folder=path, trust=trust)
        if path.is_dir()
        else ModelStore(path, trust=trust)
    )
    return ModelCache(store, _brought(config, endpoint), row_path=config.server.row_path)


def _brought(config: Config, endpoint: str) -> Brought:
    entry = config.models[endpoint]
    model, source = entry.kwargs.model, entry.kwargs.data
    text_class = TEXT_CLASSES.get(entry.model_class or "")
    only_texts = isinstance(model, TextModelOptions)
    return Brought(
        target=model.target_col or (text_class.target_col if text_class else None),
        text_col=getattr(model, "text_col", None) if only_texts or text_class else None,
        index_col=getattr(model, "index_col", None) or (source.index_col if source else None),
        transform=source.transform if source else None,
        folder=config.folder,
        only_texts=only_texts,
        head=text_class.head if text_class else None,
        params=model.params if text_class else {},
    )
