"""The sections of config.yaml as frozen pydantic models; each field's description is its documentation."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from server.config.database_url import checked_url, is_database_url

OUTPUTS = ("values", "records", "proba")
# The class that each task of the backend transformers stands for.
TASKS = {"sentiment-analysis": "SentimentAnalysis", "ner": "NER"}
# A Gramex pattern may be a regular expression; here it is a path.
NOT_IN_A_PATH = re.compile(r"[()*+?\[\]{}|^\\<>#\s]")


class Section(BaseModel):
    """A part of the file: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, protected_namespaces=())


def names(value: Any) -> Any:
    """One name, or a list of names, as a tuple; anything else as it is."""
    if value is None:
        return ()
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        value = [value]
    if isinstance(value, (list, tuple)):
        return tuple(str(name) if isinstance(name, (str, int)) else name for name in value)
    return value


def _names_or_flag(value: Any) -> Any:
    return value if isinstance(value, bool) else names(value)


def _text_keys(value: Any) -> Any:
    return {str(key): name for key, name in value.items()} if isinstance(value, dict) else value


def _path(pattern: str) -> str:
    path = re.sub(r"/{2,}", "/", "/" + pattern)
    if NOT_IN_A_PATH.search(path):
        raise ValueError(f"{pattern!r} is not a plain path; write a path such as /titanic, not a regular expression")
    return path if path == "/" else path.rstrip("/")


Columns = Annotated[tuple[str, ...], BeforeValidator(names)]
ColumnsOrFlag = Annotated[bool | tuple[str, ...], BeforeValidator(_names_or_flag)]
Text = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]


class DataSource(Section):
    """Where an endpoint's first training data comes from."""

    url: Annotated[str, AfterValidator(checked_url)] | None = Field(
        default=None, description="A file in any supported format, or an SQLAlchemy URL."
    )
    transform: str | None = Field(default=None, description="Function or expression applied to all rows.")
    index_col: Text | None = Field(default=None, description="Column that holds timestamps.")
    table: str | None = Field(default=None, description="Table to read when url is an SQLAlchemy URL.")
    query: str | None = Field(default=None, description="Query to read when url is an SQLAlchemy URL.")

    @property
    def is_database(self) -> bool:
        """Whether the rows come from a table or a query instead of a file."""
        return is_database_url(self.url)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("table", "query") if getattr(self, name)]
        if self.is_database and len(given) != 1:
            raise ValueError("a database needs table: or query:, exactly one of them")
        if given and not self.is_database:
            raise ValueError(f"{given[0]}: needs the URL of a database in url:, such as sqlite:///name.db")
        return self


class TrainingOptions(Section):
    """What any handler's model is trained with."""

    class_: str | None = Field(default=None, alias="class", description="Model class, such as LogisticRegression.")
    params: dict[str, Any] = Field(default={}, description="Parameters of the class.")
    path: str | None = Field(default=None, description="Model file; config_dir/model.pkl by default.")
    target_col: Text | None = Field(default=None, description="The column to predict.")
    dropna: ColumnsOrFlag = Field(
        default=True, description="Leave out training rows with missing cells (true, false or columns)."
    )
    drop_duplicates: ColumnsOrFlag = Field(
        default=True, description="Leave out repeated training rows (true, false or columns); also: deduplicate."
    )

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, values: Any) -> Any:
        if isinstance(values, dict) and "deduplicate" in values:
            if "drop_duplicates" in values:
                raise ValueError("deduplicate and drop_duplicates are the same option; give one of them")
            values = dict(values)
            values["drop_duplicates"] = values.pop("deduplicate")
        return {} if values is None else values


class ModelOptions(TrainingOptions):
    """What is trained, and from which columns."""

    index_col: Text | None = Field(default=None, description="Column that holds timestamps.")
    include: Columns = Field(default=(), description="Columns to train on; wins over exclude.")
    exclude: Columns = Field(default=(), description="Columns to leave out.")
    cats: Columns = Field(default=(), description="Categorical columns: imputed and one-hot encoded.")
    nums: Columns = Field(default=(), description="Numeric columns: imputed and scaled.")
    pipeline: bool = Field(default=True, description="false fits the class on the numeric columns as they are.")
    text_col: Text = Field(default="text", description="The column of texts that SentimentAnalysis or NER reads.")


class TextModelOptions(TrainingOptions):
    """A classifier of texts and the vectorizer before it."""

    text_col: Text = Field(default="text", description="The column of texts.")
    target_col: Text | None = Field(default="label", description="The column to predict.")
    vectorizer: str | None = Field(default=None, description="File of a pickled vectorizer that goes with path.")
    vectorizer_params: dict[str, Any] = Field(default={}, description="Parameters of TfidfVectorizer.")

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if self.vectorizer and not self.path:
            raise ValueError("vectorizer names the file that goes with the classifier's; name that with path")
        return self


class HandlerKwargs(Section):
    """What all kinds of endpoints take; all of it is optional."""

    data: DataSource | None = Field(default=None, description="The first training data: a path, or url and options.")
    config_dir: str | None = Field(default=None, description="Folder of the endpoint's state.")
    output: Literal["values", "records", "proba"] = Field(default="values", description="Default of _output.")
    template: str | None = Field(default=None, description="Jinja2 template shown instead of the endpoint's page.")
    xsrf_cookies: bool = Field(default=True, description="false accepts unsafe requests from other origins.")
    retrain_on_change: bool = Field(
        default=False, description="Retrain at start when the YAML's model or data source has changed."
    )

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, values: Any) -> Any:
        if values is None:
            return {}
        if isinstance(values, dict) and isinstance(values.get("data"), str):
            values = {**values, "data": {"url": values["data"]}}
        if isinstance(values, dict) and values.get("model", 0) is None:
            values = {**values, "model": {}}
        return values


class MLHandlerKwargs(HandlerKwargs):
    """The kwargs of an MLHandler endpoint."""

    model: ModelOptions = Field(default=ModelOptions(), description="What is trained, and from which columns.")
    backend: Literal["transformers"] | None = Field(default=None, description="With task: a text model.")
    task: Literal["sentiment-analysis", "ner"] | None = Field(default=None, description="Task of the backend.")

    @model_validator(mode="after")
    def _one_class(self) -> Self:
        named = self.model.class_
        if self.backend and not self.task and named not in TASKS.values():
            raise ValueError(f"backend: {self.backend} needs task: {' or '.join(TASKS)}")
        if self.task and named not in (None, TASKS[self.task]):
            raise ValueError(f"task: {self.task} is class {TASKS[self.task]}, and model.class is {named}; give one")
        return self


class TextHandlerKwargs(HandlerKwargs):
    """The kwargs of a TextHandler endpoint."""

    model: TextModelOptions = Field(default=TextModelOptions(), description="The classifier and its vectorizer.")
    query: str = Field(default="query", pattern="^[^_]", description="The argument that holds the text to classify.")
    labels: Annotated[dict[str, str], BeforeValidator(_text_keys)] = Field(
        default={}, description="What the answer calls each class, such as {0: Negative, 1: Positive}."
    )


class EndpointSection(Section):
    """One endpoint."""

    pattern: Annotated[str, AfterValidator(_path)] = Field(description="The URL's path, such as /$YAMLURL/titanic.")


class MLHandlerEndpoint(EndpointSection):
    """One endpoint of handler MLHandler."""

    handler: Literal["MLHandler"] = Field(description="The kind of endpoint.")
    kwargs: MLHandlerKwargs = Field(default=MLHandlerKwargs(), description="Data, model and behaviour.")

    @property
    def model_class(self) -> str | None:
        """The configured class, also when it is spelled as backend and task."""
        return self.kwargs.model.class_ or (TASKS[self.kwargs.task] if self.kwargs.task else None)


class TextHandlerEndpoint(EndpointSection):
    """One endpoint of handler TextHandler."""

    handler: Literal["TextHandler"] = Field(description="The kind of endpoint.")
    kwargs: TextHandlerKwargs = Field(default=TextHandlerKwargs(), description="Data, model and behaviour.")

    @property
    def model_class(self) -> str | None:
        """The configured class; the article's, unless two pickles are served."""
        model = self.kwargs.model
        return model.class_ or (None if model.vectorizer else "MultinomialNB")


# An endpoint that is one model.
ModelEntry = MLHandlerEndpoint | TextHandlerEndpoint
