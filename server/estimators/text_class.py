"""What all text models have in common: scikit-learn's form around a transformer, which is loaded on first use."""

import threading
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from server.errors import ModelUnreadable
from server.estimators.base import Report
from server.estimators.pretrained import DEFAULTS, Pretrained
from server.estimators.text_folder import Head, TextFolder

if TYPE_CHECKING:
    from server.estimators.network import Network

MOST_EPOCHS = 100
MOST_PER_BATCH = 1024
# What is most often chosen for a training, in the order in which a form asks for it.
ARGUMENTS = ("num_train_epochs", "per_device_train_batch_size", "learning_rate", "weight_decay")


def bounds(name: str) -> Interval:
    """The numbers that one of ARGUMENTS may be."""
    return next(one for one in TextClass._parameter_constraints[name] if isinstance(one, Interval))


class TextClass(BaseEstimator):
    """A transformer with a head; training arguments are named as in transformers' TrainingArguments.

    `model` is a folder in transformers' format, or the name of a model of the hub; the hub's usual one of the
    task if it is not given. `learning_rate` None is 1e-4 for models of fewer than 50 million weights, which
    learn too little from few rows with less, and 5e-5 for larger ones. `quantize` "int8" lets the linear
    layers predict in 8-bit integers, on CPUs.
    """

    head: ClassVar[Head]
    target_col: ClassVar[str]
    # What a trained model still heeds: parameters of its predictions, not only of its training.
    predicting: ClassVar[tuple[str, ...]] = ("quantize",)
    _parameter_constraints = {
        "model": [str, None],
        "quantize": [StrOptions({"int8"}), None],
        "num_train_epochs": [Interval(Real, 0, MOST_EPOCHS, closed="right")],
        "per_device_train_batch_size": [Interval(Integral, 1, MOST_PER_BATCH, closed="both")],
        "learning_rate": [Interval(Real, 0, 1, closed="right"), None],
        "weight_decay": [Interval(Real, 0, 1, closed="both")],
        "seed": [Interval(Integral, 0, 2**32 - 1, closed="both")],
    }

    def __init__(
        self,
        model: str | None = None,
        quantize: str | None = None,
        num_train_epochs: float = 1,
        per_device_train_batch_size: int = 16,
        learning_rate: float | None = None,
        weight_decay: float = 0.01,
        seed: int = 42,
    ) -> None:
        self.model = model or DEFAULTS[type(self).__name__][0]
        self.quantize = quantize
        self.num_train_epochs = num_train_epochs
        self.per_device_train_batch_size = per_device_train_batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.seed = seed
        self._loading = threading.Lock()
        self._folder: TextFolder | None = None
        self._trained: Network | None = None
        self._network: Network | None = None
        self._defect: ModelUnreadable | None = None

    def _validate_params(self) -> None:
        """scikit-learn calls this for its own classes; to it, a truth value is a number.

        Raises:
            ValueError: with a sentence that names the parameter and what it takes.
        """
        super()._validate_params()
        for name, value in self.get_params(deep=False).items():
            if isinstance(value, bool):
                raise ValueError(f"the parameter {name!r} of {type(self).__name__} must be a number, not {value!r}")

    @classmethod
    def from_folder(cls, folder: TextFolder, params: Mapping[str, Any] | None = None) -> Self:
        """The trained model in a folder, heeding those of `params` that are for predictions; weights are read later."""
        heeded = {name: value for name, value in (params or {}).items() if name in cls.predicting}
        found = cls(str(folder.path), **heeded)
        found._folder = folder
        found._learned(folder)
        return found

    def _learned(self, folder: TextFolder) -> None:
        """Set what the folder tells of the training, by scikit-learn's convention."""
        self.model_type_ = folder.model_type

    @property
    def defect(self) -> str | None:
        """Why the weights could not be read, once that was tried."""
        return self._defect.detail if self._defect else None

    @property
    def network(self) -> "Network":
        """The weights, one copy for all threads.

        Raises:
            ModelUnreadable: they cannot be read.
        """
        if self._network is None:
            with self._loading:
                if self._network is None:
                    self._network = self._load()
        return self._network

    def _load(self) -> "Network":
        if self._defect is not None:
            raise self._defect
        assert self._folder is not None, "neither trained nor read from a folder"
        # Seconds and hundreds of megabytes, which a server without text models never needs.
        from server.estimators.network import Network

        try:
            return Network.load(self._folder, self.head, self.quantize)
        except ModelUnreadable as error:
            self._defect = error
            raise

    def _base(self, labels_for: Callable[[TextFolder], Sequence[str]]) -> "Network":
        """The pretrained weights with a head for the labels that `labels_for` makes of the folder's own.

        Raises:
            NotReady: the weights cannot be had.
        """
        folder = Pretrained(self.model).need()
        from server.estimators.network import Network

        return Network.base(folder, self.head, labels_for(folder), self.seed)

    def _fine_tune(
        self,
        network: "Network",
        ids: Sequence[Sequence[int]],
        labels: Sequence[int] | Sequence[list[int | None]],
        report: Report,
    ) -> None:
        from server.estimators.finetuning import Arguments, fine_tune

        arguments = Arguments(
            epochs=self.num_train_epochs,
            batch_size=self.per_device_train_batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            seed=self.seed,
        )
        fine_tune(network, ids, labels, arguments, report)
        self._trained = network
        # Scores are those of the model as it will serve.
        self._network = network.quantized() if self.quantize == "int8" else network
        self.model_type_ = network.model.config.model_type

    def save(self, folder: Path) -> None:
        """Write the trained weights, unquantized, with configuration and tokenizer in transformers' format."""
        assert self._trained is not None, "only a training makes something to save"
        self._trained.save(folder)
