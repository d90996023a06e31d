"""Keys: who may do what. Only their hashes are written down."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, TypeAdapter, ValidationError

from server.config.limits import Rate
from server.config.sections import Columns, Section, names
from server.errors import ConfigError, Problem, did_you_mean

Scope = Literal["read", "predict", "train", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "predict", "train", "admin")
HASH = re.compile(r"sha256:[0-9a-f]{64}")
# How pydantic is to call the two ways to write keys; no part of a path in the file.
IN_THE_FILE, ELSEWHERE = "keys in a list", "keys in a file"


def hash_of(key: str) -> str:
    """The form in which a key is kept.

    Keys are 256 random bits: unlike a password, which can be guessed, they need neither salt nor a slow hash.
    """
    return f"sha256:{digest_of(key).hex()}"


def digest_of(key: str) -> bytes:
    """The same as 32 bytes."""
    return hashlib.sha256(key.encode()).digest()


def _hash(text: str) -> str:
    if not HASH.fullmatch(text):
        raise ValueError(
            "a key is kept as sha256: and 64 hexadecimal digits; `flask --app wsgi keys create` makes it and its hash"
        )
    return text


def _scopes(value: Any) -> Any:
    value = names(value)
    for name in value if isinstance(value, tuple) else ():
        if name not in SCOPES:
            raise ValueError(
                f"unknown scope {name!r}{did_you_mean(str(name), SCOPES) or '; known: ' + ', '.join(SCOPES)}"
            )
    return value


class Key(Section):
    """One key: its holder's name, and what it opens."""

    name: str = Field(min_length=1, description="Whose key it is; appears in logs and errors.")
    hash: Annotated[str, AfterValidator(_hash)] = Field(description="sha256: and the hexadecimal SHA-256 of the key.")
    scopes: Annotated[tuple[Scope, ...], BeforeValidator(_scopes)] = Field(
        min_length=1, description="What it opens: read, predict, train, admin; each by itself."
    )
    endpoints: Columns = Field(default=(), description="The endpoints that it opens; none named: all.")
    rate: Rate | None = Field(
        default=None, description="How often its holder may ask instead of server.limits.rate, which must be set."
    )

    def opens(self, endpoint: str) -> bool:
        """Whether the key is for this endpoint."""
        return not self.endpoints or endpoint in self.endpoints


def _distinct(keys: tuple[Key, ...]) -> tuple[Key, ...]:
    for name, same in (("name", [key.name for key in keys]), ("hash", [key.hash for key in keys])):
        twice = next((value for value in same if same.count(value) > 1), None)
        if twice is not None:
            raise ValueError(f"two keys have the {name} {twice!r}")
    return keys


Keys = Annotated[tuple[Key, ...], AfterValidator(_distinct)]
KeysOrFile = Annotated[
    Annotated[str, Tag(ELSEWHERE)] | Annotated[Keys, Tag(IN_THE_FILE)],
    Discriminator(lambda value: ELSEWHERE if isinstance(value, str) else IN_THE_FILE),
]
_LIST = TypeAdapter(Keys)


def read_keys(file: Path) -> tuple[Key, ...]:
    """The keys in a file, a YAML list; none if there is no such file yet.

    Raises:
        ConfigError: the file cannot be read, or holds something else.
    """
    try:
        listed = yaml.safe_load(file.read_text(encoding="utf-8"))
        if not isinstance(listed, list | None):
            raise ValueError("this must be a list of keys")
        return _LIST.validate_python(listed or [])
    except FileNotFoundError:
        return ()
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        reason = str(first.get("ctx", {}).get("error") or first["msg"])
    except (OSError, ValueError, yaml.YAMLError) as error:
        place, reason = "", str(getattr(error, "problem", None) or getattr(error, "strerror", None) or error)
    detail = f"{file}{place}: {reason}"
    raise ConfigError(f"the keys cannot be read: {detail}", [Problem("server.keys", detail)])


def keys_text(keys: Iterable[Key]) -> str:
    """The keys as `read_keys` reads them."""
    listed = [key.model_dump(mode="json", exclude_defaults=True) for key in keys]
    return yaml.safe_dump(listed, sort_keys=False, allow_unicode=True, width=1000)
