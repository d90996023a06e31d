"""MLflow: the pickle as a folder that `mlflow models serve` takes."""

import joblib
import mlflow

mlflow.sklearn.save_model(
    joblib.load("model.pkl"),
    "model",
    # The default, skops, wants to be told of every type in the pipeline that it may be trusted.
    serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_CLOUDPICKLE,
    pip_requirements=["scikit-learn", "pandas"],
)
