"""The pages' own files, Bootstrap's and Swagger UI's, served by this server: a page asks no other."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from flask import Flask, Response, request, send_file
from werkzeug.exceptions import NotFound

FOLDER = "/_static"
OWN_FILES = Path(__file__).parent / "static"
YEAR = 365 * 86400


def _carried(package: str) -> Path:
    # The packages are carriers: importing them would load code that nobody needs.
    found = find_spec(package)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def files() -> dict[str, Path]:
    """Every file that is served, by name."""
    bootstrap = _carried("flask_bootstrap") / "static" / "bootstrap5"
    swagger = _carried("flask_swagger_ui") / "dist"
    return {
        "bootstrap.min.css": bootstrap / "css" / "bootstrap.min.css",
        "bootstrap.min.js": bootstrap / "js" / "bootstrap.min.js",
        "swagger-ui.css": swagger / "swagger-ui.css",
        "swagger-ui-bundle.js": swagger / "swagger-ui-bundle.js",
        "swagger-ui.LICENSE": swagger / "LICENSE",
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
