"""Ray Serve: one replica on a cluster of this machine. Argument: the port."""

import sys

import joblib
import pandas as pd
import ray
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=1)
class Titanic:
    """Loads the pickle once per replica."""

    def __init__(self) -> None:
        self.model = joblib.load("model.pkl")

    async def __call__(self, request: Request) -> list[int]:
        """One class for each row."""
        if request.method == "GET":
            return []
        return self.model.predict(pd.DataFrame(await request.json())).tolist()


if __name__ == "__main__":
    ray.init(num_cpus=1, include_dashboard=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Titanic.bind(), blocking=True)
