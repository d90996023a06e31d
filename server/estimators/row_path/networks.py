"""Multi-layer perceptrons."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit

from server.estimators.row_path.kernels import Kernel, softmax
from server.estimators.row_path.linear import pair
from server.estimators.row_path.terms import Encoded

ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda values: values,
    "tanh": np.tanh,
    "logistic": expit,
    "relu": lambda values: np.maximum(values, 0),
    "softmax": softmax,
}


class NetworkRegressor(Kernel):
    """One layer after the other."""

    computes = True

    @classmethod
    def takes(cls, estimator: Any) -> bool:
        return {estimator.activation, estimator.out_activation_} <= set(ACTIVATIONS)

    def outputs(self, row: Encoded) -> np.ndarray:
        """The activations of the last layer, shape (1, n_outputs)."""
        network = self.estimator
        values = self.product(row, network.coefs_[0]) + network.intercepts_[0]
        for weights, bias in zip(network.coefs_[1:], network.intercepts_[1:], strict=True):
            values = ACTIVATIONS[network.activation](values) @ weights + bias
        return ACTIVATIONS[network.out_activation_](values)

    def predict(self, row: Encoded) -> np.ndarray:
        outputs = self.outputs(row)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs


class NetworkClassifier(NetworkRegressor):
    """The likeliest class; of two classes the second, if its probability is above one half."""

    @classmethod
    def takes(cls, estimator: Any) -> bool:
        # Several labels for a row have no softmax, but more than one output.
        several_labels = estimator.out_activation_ == "logistic" and estimator.n_outputs_ > 1
        return super().takes(estimator) and not several_labels

    def predict(self, row: Encoded) -> np.ndarray:
        outputs = self.outputs(row)
        place = (outputs[:, 0] > 0.5).astype(np.intp) if outputs.shape[1] == 1 else outputs.argmax(axis=1)
        return self.estimator.classes_.take(place)

    def predict_proba(self, row: Encoded) -> np.ndarray:
        outputs = self.outputs(row)
        return pair(outputs[:, 0]) if outputs.shape[1] == 1 else outputs
