"""The section of a ClassifierHandler: a classifier of documents."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from server.config.sections import EndpointSection, Section

WEIGHTS = "distilbert-base-uncased"
TRANSFORMER = "SentimentAnalysis"


class ClassifierModelOptions(Section):
    """What learns from the documents: a transformer, or a class of scikit-learn behind TF-IDF."""

    class_: str = Field(default=TRANSFORMER, alias="class", description="Model class, such as LogisticRegression.")
    params: dict[str, Any] = Field(default={}, description="Parameters of the class.")
    vectorizer_params: dict[str, Any] = Field(default={}, description="Parameters of TfidfVectorizer.")

    @model_validator(mode="before")
    @classmethod
    def _weights_alone(cls, values: Any) -> Any:
        return {"params": {"model": values}} if isinstance(values, str) else values

    @model_validator(mode="after")
    def _no_vectorizer(self) -> Self:
        if self.is_transformer and self.vectorizer_params:
            raise ValueError(f"{self.class_} reads texts without vectorizer_params")
        return self

    @property
    def is_transformer(self) -> bool:
        """Whether it reads texts itself."""
        return self.class_ == TRANSFORMER


class DocumentLimitsSection(Section):
    """How much one document may cost."""

    mb: float = Field(default=20, gt=0, description="Largest document, in MiB.")
    seconds: float = Field(default=20, gt=0, description="Longest time to read one.")
    characters: int = Field(default=1_000_000, gt=0, description="Longest text of one, also of one to classify.")


class ClassifierKwargs(Section):
    """The kwargs of a ClassifierHandler endpoint."""

    documents: str | None = Field(
        default=None, description="Folder with folders of documents, one for each label; server.data_dir by default."
    )
    model: ClassifierModelOptions = Field(
        default=ClassifierModelOptions(),
        description=f"Pretrained weights ({WEIGHTS} by default), or a class for TF-IDF and its params.",
    )
    validation: Literal[0, 1] = Field(
        default=1, description="1 holds documents out of the training and measures on them; a request may say so, too."
    )
    min_size_label: int = Field(default=10, ge=1, description="Fewest documents of a label.")
    size_train: float = Field(
        default=0.8, gt=0, lt=1, description="Share of the documents to train on if validation is 1."
    )
    training: dict[str, Any] = Field(
        default={}, description="Training arguments of a transformer, such as num_train_epochs."
    )
    limits: DocumentLimitsSection = Field(default=DocumentLimitsSection(), description="Limits on each document.")
    config_dir: str | None = Field(default=None, description="Folder of what is kept while a training runs.")
    xsrf_cookies: bool = Field(default=True, description="false accepts unsafe requests from other origins.")

    @model_validator(mode="before")
    @classmethod
    def _all_optional(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("model", 0) is None:
            return {name: value for name, value in values.items() if name != "model"}
        return {} if values is None else values

    @model_validator(mode="after")
    def _arguments_of_a_transformer(self) -> Self:
        if self.training and not self.model.is_transformer:
            raise ValueError(f"training: {self.model.class_} is no transformer; its parameters stand in model.params")
        return self


class ClassifierHandlerEndpoint(EndpointSection):
    """One endpoint of handler ClassifierHandler."""

    handler: Literal["ClassifierHandler"] = Field(description="The kind of endpoint.")
    kwargs: ClassifierKwargs = Field(default=ClassifierKwargs(), description="Documents, model and training.")
