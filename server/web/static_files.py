"""The pages' own files and Bootstrap's, served by this server: a page asks no other."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from flask import Flask, Response, request, send_file
from werkzeug.exceptions import NotFound

FOLDER = "/_static"
OWN_FILES = Path(__file__).parent / "static"
YEAR = 365 * 86400


def _bootstrap() -> Path:
    # The package is a carrier: importing it would load form classes that nobody needs.
    found = find_spec("flask_bootstrap")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "static" / "bootstrap5"


def files() -> dict[str, Path]:
    """Every file that is served, by name."""
    bootstrap = _bootstrap()
    return {
        "bootstrap.min.css": bootstrap / "css" / "bootstrap.min.css",
        "bootstrap.min.js": bootstrap / "js" / "bootstrap.min.js",
        **{path.name: path for path in sorted(OWN_FILES.iterdir()) if path.is_file()},
    }


def register_static_files(app: Flask, base: str) -> None:
    """Serve the files below `base`, and let templates find them: `static` is the URL of their folder.

    The folder is named after the contents, so that browsers keep a file for as long as it is the same.
    """
    known = files()
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in known.values())).hexdigest()[:12]

    def static_file(version: str, name: str) -> Response:
        if name not in known:
            raise NotFound
        response = send_file(known[name], conditional=True, max_age=YEAR if version == digest else 0)
        response.cache_control.immutable = version == digest
        return response

    app.add_url_rule(f"{base}{FOLDER}/<version>/<name>", "static_file", static_file)
    app.context_processor(lambda: {"static": f"{request.script_root}{base}{FOLDER}/{digest}"})
