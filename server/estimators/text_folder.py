"""A folder in transformers' format: what it tells without torch."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from server.errors import ModelUnreadable

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
SAFETENSORS = ".safetensors"
# Any one of these sets is a whole tokenizer; a sentencepiece model (*.model) is one, too.
TOKENIZERS = ({"tokenizer.json"}, {"vocab.txt"}, {"vocab.json", "merges.txt"})
SENTENCEPIECE = ".model"
TOKENIZER_FILES = frozenset().union(
    *TOKENIZERS, {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}
)
# Pickles, and what other frameworks write.
FOREIGN_WEIGHTS = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
LIBRARIES = ("torch", "transformers", "safetensors", "huggingface_hub")
CONVERT = (
    "weights are read from safetensors only, as a pickle runs code when it is loaded; "
    "convert them with transformers' save_pretrained where you trust them"
)


class Head(StrEnum):
    """What the last layer of a text model answers."""

    SEQUENCE = "sequence classification"
    TOKEN = "token classification"  # noqa: S105 - a word of a text


# How transformers names the classes of each head.
HEADS = {"ForSequenceClassification": Head.SEQUENCE, "ForTokenClassification": Head.TOKEN}


@dataclass(frozen=True)
class TextFolder:
    """A text model as its folder describes it; the weights themselves are not read.

    Attributes:
        path: the folder.
        model_type: the architecture, such as "distilbert".
        head: None for a mere base, whose classifier is still to be trained.
        labels: by id; those that transformers makes up when the folder names none.
        values: the labels in the types of the training data, by id.
        files: the configuration, the weights, and the tokenizer's files.
    """

    path: Path
    model_type: str
    head: Head | None
    labels: tuple[str, ...]
    values: tuple[Any, ...]
    files: tuple[Path, ...]


def check_installed() -> None:
    """Text models need libraries that a server without them does not.

    Raises:
        ModelUnreadable: one of them is missing.
    """
    if any(find_spec(library) is None for library in LIBRARIES):
        raise ModelUnreadable("text models need torch and transformers: pip install -r requirements.txt")


def read_folder(path: Path, called: str | None = None) -> TextFolder:
    """The text model that lies in the folder.

    Args:
        path: the folder.
        called: how messages name it; by default its own name with its parent's, which tells endpoints apart.

    Raises:
        ModelUnreadable: the folder is missing, is no text model, lacks a file, or has one that is broken; its weights
            are not in safetensors; it needs code of its own; or the libraries are not installed.
    """
    check_installed()
    called = called or f"{path.parent.name}/{path.name}"
    with _reading(called):
        if not path.is_dir():
            raise ModelUnreadable(f"{called} is {'no folder' if path.exists() else 'not there'}")
        config = _config(path, called)
        names = {file.name for file in path.iterdir()}
        weights = _weights(path, names, called)
        tokenizer = _tokenizer(names, called)
        labels = _labels(config, called)
    values = config.get("label_values")
    return TextFolder(
        path=path,
        model_type=config["model_type"],
        head=_head(config),
        labels=labels,
        values=tuple(values) if isinstance(values, list) and len(values) == len(labels) else labels,
        files=tuple(path / name for name in (CONFIG, *weights, *tokenizer)),
    )


def marks(path: Path) -> tuple[int, ...] | None:
    """Times of change, sizes and inodes of the model's files, without opening one; None if there is no such folder."""
    try:
        with os.scandir(path) as entries:
            found = sorted((entry.name, entry.stat()) for entry in entries if _belongs(entry.name))
    except OSError:
        return None
    return tuple(mark for _, file in found for mark in (file.st_mtime_ns, file.st_size, file.st_ino))


def _belongs(name: str) -> bool:
    return name in TOKENIZER_FILES or name in (CONFIG, INDEX) or name.endswith((SAFETENSORS, SENTENCEPIECE))


@contextmanager
def _reading(called: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ModelUnreadable(f"{called} cannot be read: {error.strerror or error}") from error


def _config(path: Path, called: str) -> dict[str, Any]:
    file = path / CONFIG
    if not file.is_file():
        raise ModelUnreadable(f"{called} holds no transformers model: it has no {CONFIG}")
    config = _json_object(file, called)
    if not isinstance(config.get("model_type"), str):
        raise ModelUnreadable(f"{called} holds no transformers model: its {CONFIG} names no model_type")
    foreign = config.get("auto_map")
    if isinstance(foreign, dict) and "AutoConfig" in foreign:
        raise ModelUnreadable(
            f"{called} needs code from its repository, which is never run here: "
            f"choose a model whose type transformers itself knows, not {config['model_type']!r}"
        )
    return config


def _json_object(file: Path, called: str) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except ValueError as error:
        raise ModelUnreadable(f"{called} holds no transformers model: its {file.name} is no JSON ({error})") from error
    if not isinstance(content, dict):
        raise ModelUnreadable(f"{called} holds no transformers model: its {file.name} is no JSON object")
    return content


def _weights(path: Path, names: set[str], called: str) -> tuple[str, ...]:
    if WEIGHTS in names:
        found: tuple[str, ...] = (WEIGHTS,)
    elif INDEX in names:
        found = _shards(path, called)
    elif foreign := sorted(name for name in names if name.endswith(FOREIGN_WEIGHTS)):
        raise ModelUnreadable(f"{called} has {foreign[0]}, but no {WEIGHTS}: {CONVERT}")
    else:
        raise ModelUnreadable(f"{called} has no weights: {WEIGHTS} is missing")
    if missing := sorted(set(found) - names):
        raise ModelUnreadable(f"{called} lacks {missing[0]}, which its {INDEX} names")
    for name in found:
        _check_weights(path / name, called)
    return (INDEX, *found) if found != (WEIGHTS,) else found


def _shards(path: Path, called: str) -> tuple[str, ...]:
    shards = _json_object(path / INDEX, called).get("weight_map")
    if not isinstance(shards, dict) or not shards or not all(isinstance(name, str) for name in shards.values()):
        raise ModelUnreadable(f"{called} has no weights: its {INDEX} names no files")
    return tuple(sorted(set(shards.values())))


def _check_weights(file: Path, called: str) -> None:
    # Only a server with text models has safetensors.
    from safetensors import SafetensorError, safe_open

    try:
        # Reads the header and compares the sizes that it tells with the file's.
        with safe_open(file, framework="numpy"):
            pass
    except SafetensorError as error:
        raise ModelUnreadable(f"{file.name} of {called} is cut short or broken ({error}); copy it anew") from error


def _tokenizer(names: set[str], called: str) -> tuple[str, ...]:
    pieces = {name for name in names if name.endswith(SENTENCEPIECE)}
    if not pieces and not any(names >= needed for needed in TOKENIZERS):
        raise ModelUnreadable(
            f"{called} has no tokenizer: tokenizer.json, vocab.txt, vocab.json with merges.txt, or a *.model"
        )
    return tuple(sorted(pieces | names & TOKENIZER_FILES))


def _head(config: dict[str, Any]) -> Head | None:
    classes = config.get("architectures")
    for name in classes if isinstance(classes, list) else ():
        for ending, head in HEADS.items():
            if str(name).endswith(ending):
                return head
    return None


def _labels(config: dict[str, Any], called: str) -> tuple[str, ...]:
    named = config.get("id2label")
    if not named:
        # transformers' own default is two labels with these names.
        count = config.get("num_labels")
        return tuple(f"LABEL_{number}" for number in range(count if isinstance(count, int) else 2))
    try:
        by_id = sorted((int(number), str(label)) for number, label in named.items())
    except (AttributeError, ValueError) as error:
        raise ModelUnreadable(f"the id2label in {CONFIG} of {called} does not map numbers to labels") from error
    if [number for number, _ in by_id] != list(range(len(by_id))):
        raise ModelUnreadable(f"the id2label in {CONFIG} of {called} does not number its labels 0, 1, 2, …")
    return tuple(label for _, label in by_id)
