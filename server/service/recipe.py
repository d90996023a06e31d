"""What an endpoint will train next: class, parameters and column options, by precedence.

Defaults, then the configuration, then what was changed over HTTP (kept in config.json).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from server.config import TextModelOptions, TrainingOptions
from server.errors import BadRequest, InvalidParameter, UnknownClass, did_you_mean, shortened
from server.estimators.catalogue import TEXT_CLASSES, find_class, find_text_class
from server.estimators.parameters import build, check_parameters, drop_unknown, parameter_names, plain_parameters
from server.service.parameter_caps import Caps, check_caps
from server.storage.endpoint_store import is_own

COLUMN_LISTS = ("include", "exclude", "nums", "cats")
FLAGS_OR_LISTS = ("dropna", "drop_duplicates")
NAMES = ("target_col", "index_col")
OPTIONS = ("include", "exclude", "dropna", "drop_duplicates", "pipeline", "nums", "cats", "target_col", "index_col")
TEXT_OPTIONS = ("target_col", "dropna", "drop_duplicates")
ALIASES = {"deduplicate": "drop_duplicates", "_target_col": "target_col", "_index_col": "index_col"}
FLAG_TEXT = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


@dataclass(frozen=True)
class Options:
    """The column and row options of a training."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    dropna: bool | tuple[str, ...] = True
    drop_duplicates: bool | tuple[str, ...] = True
    pipeline: bool = True
    nums: tuple[str, ...] = ()
    cats: tuple[str, ...] = ()
    target_col: str | None = None
    index_col: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, tuples as lists."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        frozen: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**frozen)


@dataclass(frozen=True)
class Recipe:
    """Class, parameters (as given, not the defaults) and options.

    A recipe with a `text_col` learns from the texts in that column. `only_texts` says that its endpoint knows
    nothing else: any class then is a classifier of texts, behind a TF-IDF vectorizer of these parameters
    unless it reads texts itself. `may_read_weights` says that the configuration names a text model, so that a
    request may choose among these.
    """

    class_name: str | None
    params: dict[str, Any]
    options: Options
    text_col: str | None = None
    vectorizer_params: dict[str, Any] = field(default_factory=dict)
    only_texts: bool = False
    may_read_weights: bool = False

    @property
    def text_columns(self) -> list[str]:
        """The columns that are text whatever they look like: '007' stays '007', and a list of entities is JSON."""
        if self.text_col is None:
            return []
        entities = [self.options.target_col] if self.class_name == "NER" and self.options.target_col else []
        return [self.text_col, *entities]

    def find_class(self, allowed: Sequence[str]) -> type:
        """The class to train.

        Raises:
            BadRequest: none is set, or it cannot be had.
        """
        if self.class_name is None:
            raise BadRequest("no model class is set; PUT ?class=LogisticRegression, or name it in the configuration")
        return self.named(self.class_name, allowed)

    def named(self, name: str, allowed: Sequence[str]) -> type:
        """The class of this name that could be trained on what this recipe learns from.

        Raises:
            UnknownClass: there is none.
        """
        return (find_text_class if self.only_texts else find_class)(name, allowed)

    def all_parameters(self, allowed: Sequence[str]) -> dict[str, Any]:
        """Every parameter of the class as it will be trained, defaults among them."""
        return plain_parameters(build(self.find_class(allowed), self.params))


Existing = Callable[[], tuple[str, dict[str, Any]] | None]


def effective(
    model: TrainingOptions, class_name: str | None, settings: Mapping[str, Any], existing: Existing
) -> Recipe:
    """The recipe that holds now.

    Args:
        model: the configuration's model section.
        class_name: the configuration's class.
        settings: what config.json holds.
        existing: class and parameters of a model that a user brought, asked if nothing names a class.
    """
    stored = {ALIASES.get(name, name): value for name, value in (settings.get("transform") or {}).items()}
    chosen = settings.get("model") or {}
    if not is_own(settings):
        # Gramex wrote down its defaults, too; they must not hide what the configuration says.
        defaults = Options().to_dict()
        stored = {name: value for name, value in stored.items() if value is not None and value != defaults.get(name)}
    options = replace(_configured(model), **{k: _frozen(k, v) for k, v in stored.items() if k in OPTIONS})
    name, params = class_name, dict(model.params)
    if chosen.get("class"):
        name = str(chosen["class"])
        params = _readable(name, chosen.get("params") or {}, is_own(settings))
    elif name is None:
        found = existing()
        if found is not None:
            name, params = found
    only_texts = isinstance(model, TextModelOptions)
    text_class = TEXT_CLASSES.get(name or "")
    if text_class is not None:
        params |= {"model": model.params["model"]} if "model" in model.params else {}
        options = replace(options, target_col=options.target_col or text_class.target_col)
    text_col = getattr(model, "text_col", None) if only_texts or text_class else None
    vectorizer_params = dict(getattr(model, "vectorizer_params", {}))
    return Recipe(name, params, options, text_col, vectorizer_params, only_texts, class_name in TEXT_CLASSES)


def _configured(model: TrainingOptions) -> Options:
    return Options(**{name: getattr(model, name) for name in OPTIONS if hasattr(model, name)})


def _frozen(name: str, value: Any) -> Any:
    if name in COLUMN_LISTS:
        return tuple(str(item) for item in value or ())
    if name in FLAGS_OR_LISTS and not isinstance(value, bool):
        return tuple(str(item) for item in value or ()) or bool(value)
    return value


def _readable(class_name: str, params: Mapping[str, Any], own: bool) -> dict[str, Any]:
    if own:
        return dict(params)
    try:
        return drop_unknown(find_class(class_name), params)
    except BadRequest:
        return dict(params)


def changed(
    settings: Mapping[str, Any], recipe: Recipe, given: Mapping[str, Any], allowed: Sequence[str], caps: Caps
) -> dict[str, Any]:
    """The settings after a change: {"transform": …, "model": …}.

    Args:
        settings: what config.json holds now.
        recipe: what holds now.
        given: names and values from a request; texts, lists of texts, or JSON values.
        allowed: classes beside scikit-learn's that the configuration allows.
        caps: the largest values that a request may give to parameters.

    Raises:
        UnknownClass: there is no such class.
        InvalidParameter: a name that is neither option nor parameter, or a value that does not fit.
    """
    given = {ALIASES.get(name, name): value for name, value in given.items()}
    foreign = [name for name in given if recipe.text_col and name in OPTIONS and name not in TEXT_OPTIONS]
    if foreign:
        raise InvalidParameter(f"{foreign[0]} has no meaning for texts; there are {', '.join(TEXT_OPTIONS)}")
    transform = _own_transform(settings, recipe)
    transform |= {name: option_value(name, given[name]) for name in OPTIONS if name in given}
    model = dict(settings.get("model") or {}) if is_own(settings) else _stored_model(settings, recipe)
    values = {name: value for name, value in given.items() if name not in OPTIONS}
    if values:
        model = _changed_model(recipe, values, allowed, caps)
    return {"transform": transform, "model": model}


def _own_transform(settings: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    if is_own(settings):
        return dict(settings.get("transform") or {})
    kept = recipe.options.to_dict()
    return {name: kept[name] for name in OPTIONS if name in (settings.get("transform") or {})}


def _stored_model(settings: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    if not (settings.get("model") or {}).get("class"):
        return {}
    return {"class": recipe.class_name, "params": recipe.params}


def _changed_model(recipe: Recipe, values: dict[str, Any], allowed: Sequence[str], caps: Caps) -> dict[str, Any]:
    """A new class forgets the old one's parameters; naming the same class again does not."""
    name = values.pop("class", None)
    if name is not None:
        name = str(_single("class", name))
        # A request names scikit-learn's classes only; the configured one may be named again.
        recipe.named(name, allowed if name == recipe.class_name else ())
        if name in TEXT_CLASSES and name != recipe.class_name and not recipe.may_read_weights:
            raise UnknownClass(
                f"{name} reads or downloads weights, and is set in the configuration (kwargs.model.class)"
            )
    kept = recipe.params if name in (None, recipe.class_name) else {}
    name = name or recipe.class_name
    if name is None:
        unknown = next(iter(values))
        near = did_you_mean(unknown, [*OPTIONS, "class"])
        raise InvalidParameter(
            f"unknown option {shortened(unknown)!r}{near or '; no model class is set whose parameter it could be'}"
        )
    cls = recipe.named(name, allowed)
    _check_names(cls, values)
    if name in TEXT_CLASSES and "model" in values:
        raise InvalidParameter(
            "model names what the server reads or downloads, and is set in its configuration (kwargs.model.params)"
        )
    checked = check_parameters(cls, {key: _unwrapped(value) for key, value in values.items()})
    check_caps(cls, checked, caps)
    params = kept | checked
    # Required parameters may come in a later request; the others must fit together now.
    if all(parameter in params for parameter in values):
        _try_to_build(cls, params)
    return {"class": name, "params": params}


def _try_to_build(cls: type, params: dict[str, Any]) -> None:
    try:
        build(cls, params)
    except InvalidParameter as error:
        if "needs the parameter" not in error.detail:
            raise


def _check_names(cls: type, values: Mapping[str, Any]) -> None:
    known = parameter_names(cls)
    for name in values:
        if did_you_mean(name, known) or name in known:
            continue
        near = did_you_mean(name, [*OPTIONS, "class"])
        if near:
            raise InvalidParameter(f"unknown option {name!r}{near}")


def _unwrapped(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) else value


def _single(name: str, value: Any) -> Any:
    if isinstance(value, list):
        if len(value) != 1:
            raise InvalidParameter(f"{name} takes one value, not {len(value)}")
        return value[0]
    return value


def option_value(name: str, value: Any) -> Any:
    """An option's value from a request, in plain JSON types.

    Raises:
        InvalidParameter: the option does not take this value.
    """
    if name in COLUMN_LISTS:
        return _names(name, value)
    if name in NAMES:
        single = _single(name, value)
        return str(single) if single not in (None, "", "None", "null") else None
    items = value if isinstance(value, list) else [value]
    flag = items[0] if len(items) == 1 else None
    if isinstance(flag, str):
        flag = FLAG_TEXT.get(flag.strip().lower(), flag)
    if isinstance(flag, bool):
        return flag
    if name in FLAGS_OR_LISTS:
        return _names(name, value)
    raise InvalidParameter(f"{name} must be true or false, not {value!r}")


def _names(name: str, value: Any) -> list[str]:
    items = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(item, (str, int)) and not isinstance(item, bool) for item in items):
        raise InvalidParameter(f"{name} takes column names, not {value!r}")
    return [str(item) for item in items if item != ""]
