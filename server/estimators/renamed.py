"""What scikit-learn has renamed: configurations written for older releases go on working."""

from typing import Any

# Values and names that scikit-learn has renamed; (class or None for all, parameter) → old → new.
RENAMED_VALUES: dict[tuple[str | None, str], dict[Any, Any]] = {
    ("SGDClassifier", "loss"): {"log": "log_loss", "squared_loss": "squared_error"},
    ("SGDRegressor", "loss"): {"squared_loss": "squared_error"},
    ("GradientBoostingClassifier", "loss"): {"deviance": "log_loss"},
    ("GradientBoostingRegressor", "loss"): {"ls": "squared_error", "lad": "absolute_error"},
    ("HistGradientBoostingClassifier", "loss"): {
        "auto": "log_loss",
        "binary_crossentropy": "log_loss",
        "categorical_crossentropy": "log_loss",
    },
    ("HistGradientBoostingRegressor", "loss"): {
        "least_squares": "squared_error",
        "least_absolute_deviation": "absolute_error",
    },
    ("RANSACRegressor", "loss"): {"absolute_loss": "absolute_error", "squared_loss": "squared_error"},
    ("KMeans", "algorithm"): {"auto": "lloyd", "full": "lloyd"},
    ("BisectingKMeans", "algorithm"): {"auto": "lloyd", "full": "lloyd"},
    ("FastICA", "whiten"): {True: "arbitrary-variance"},
    (None, "criterion"): {"mse": "squared_error", "mae": "absolute_error"},
    (None, "penalty"): {"none": None},
    (None, "learning_rate"): {"none": "constant"},
}
RENAMED_PARAMETERS = {"base_estimator": "estimator", "n_iter": "max_iter", "sparse": "sparse_output"}
