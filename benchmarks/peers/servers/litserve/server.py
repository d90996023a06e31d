"""LitServe: decode, predict, encode. Argument: the port."""

import sys

import joblib
import litserve
import pandas as pd


class Titanic(litserve.LitAPI):
    """Loads the pickle once per worker."""

    def setup(self, device: str) -> None:
        """Load the model."""
        self.model = joblib.load("model.pkl")

    def decode_request(self, request: dict) -> pd.DataFrame:
        """The rows of a body."""
        return pd.DataFrame(request["rows"])

    def predict(self, rows: pd.DataFrame) -> list[int]:
        """One class for each row."""
        return self.model.predict(rows).tolist()

    def encode_response(self, answers: list[int]) -> dict:
        """The answer's body."""
        return {"predictions": answers}


if __name__ == "__main__":
    server = litserve.LitServer(Titanic(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False)
