"""What can be deleted of an endpoint."""

from collections.abc import Sequence

from server.errors import BadRequest, did_you_mean
from server.service.recipe import OPTIONS

THINGS = ("model", "cache", "opts")


def check_forgettable(what: Sequence[str], options: Sequence[str]) -> None:
    """Accept things and options that can be deleted.

    Raises:
        BadRequest: another one.
    """
    for name, known in [(item, THINGS) for item in what] + [(item, OPTIONS) for item in options]:
        if name not in known:
            hint = did_you_mean(name, known) or f"; known: {', '.join(known)}"
            raise BadRequest(f"{name!r} cannot be deleted{hint}")
