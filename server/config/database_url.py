"""SQLAlchemy URLs in the configuration: checked, made absolute, and shown without their passwords.

The form is dialect[+driver]://user:password@host:port/database?option=value (SQLAlchemy, "Database URLs").
SQLAlchemy is imported on first use: it costs 13 MB and 0.4 s, and only endpoints with a database need it.
"""

import re
from pathlib import Path
from typing import Any

from server.errors import did_you_mean

# What stands between the user's name and the last @, and ?password=… as some drivers take it: rather too much
# than too little, for a password may hold what belongs to a URL.
SECRETS = (
    (re.compile(r"(://[^:/]*:).*(@)", re.DOTALL), r"\1***\2"),
    (re.compile(r"([?&;]\w*(?:password|passwd|pwd|token|secret|api_?key|odbc_connect)=)[^&;]+", re.I), r"\1***"),
)


def is_database_url(url: str | None) -> bool:
    """Whether this is an SQLAlchemy URL; anything else is a path."""
    return "://" in (url or "")


def checked_url(url: str) -> str:
    """The URL, if SQLAlchemy can read it and knows the dialect; a path passes as it is.

    Raises:
        ValueError: it cannot be used; the sentence holds no password.
    """
    if not is_database_url(url):
        return url
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError(
            "this is no SQLAlchemy URL; write dialect+driver://user:password@host:port/database, "
            "with %40 for an @ and %2F for a / in the password"
        ) from None
    if "@" in (parsed.host or ""):
        raise ValueError("the user or the password holds an @; write it as %40")
    try:
        dialect = parsed.get_dialect()
    except NoSuchModuleError:
        raise ValueError(_unknown_dialect(parsed.drivername)) from None
    if dialect.is_async:
        raise ValueError(f"{parsed.drivername} is an asynchronous driver; leave +{dialect.driver} out, or name another")
    if parsed.get_backend_name() == "sqlite":
        _check_sqlite(parsed.database)
    return url


def _unknown_dialect(name: str) -> str:
    from sqlalchemy.dialects import __all__ as known

    near = did_you_mean(name, [*known, "postgresql+psycopg"])
    return f"SQLAlchemy has no dialect {name!r}{near or '; known: ' + ', '.join(known)} (a file is named by its path)"


def _check_sqlite(database: str | None) -> None:
    if not database or database == ":memory:":
        raise ValueError("this SQLite URL names no file; write sqlite:///name.db")
    if database.startswith("file:"):
        raise ValueError("write the path of the SQLite file, as in sqlite:///name.db; it is opened for reading only")


def absolute_url(url: str, folder: Path) -> str:
    """The URL with the path of an SQLite file made absolute, relative to the folder."""
    file = database_file(url)
    if file is None:
        return url
    from sqlalchemy.engine import make_url

    path = str((folder / file.expanduser()).absolute())
    return make_url(url).set(database=path).render_as_string(hide_password=False)


def database_file(url: str) -> Path | None:
    """The file of an SQLite URL; None for a server's."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def without_secrets(value: Any) -> Any:
    """The value, and all that it holds, with the passwords in URLs hidden."""
    if isinstance(value, dict):
        return {key: without_secrets(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(item) for item in value]
    if isinstance(value, str):
        for secret, hidden in SECRETS:
            value = secret.sub(hidden, value)
    return value
