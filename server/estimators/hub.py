"""Models of the Hugging Face hub: found in this machine's cache, or fetched. Never a pickle, never code."""

import errno
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from server.errors import BadRequest, ModelUnreadable, StorageFull, WeightsMissing
from server.estimators.text_folder import CONFIG, CONVERT, INDEX, SAFETENSORS, WEIGHTS, check_installed, read_folder

# The hub's own rules for `name` and `organisation/name`.
HUB_NAME = re.compile(r"(?!.*(--|\.\.|\.git\Z))(\w([\w.-]{0,94}\w)?/)?\w([\w.-]{0,94}\w)?", re.ASCII)
FETCHED = ("*.json", "*.txt", "*.model", f"*{SAFETENSORS}", "LICENSE*", "README.md")
MAIN = "main"
TIMEOUT = 5  # seconds for the hub's first answer
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def cached(name: str, revision: str | None = None) -> Path | None:
    """The model's folder in this machine's cache of the hub if it is whole, without asking the hub.

    Args:
        name: the model's name on the hub.
        revision: a branch, a tag or a commit; the main branch by default.
    """
    folder = snapshot(name, revision)
    try:
        return read_folder(folder).path if folder else None
    except ModelUnreadable:
        return None


def snapshot(name: str, revision: str | None = None) -> Path | None:
    """Where the cache keeps the model, whole or not; None if it does not know it."""
    try:
        # Only a server with text models has it.
        from huggingface_hub import constants
    except ImportError:
        return None
    if not HUB_NAME.fullmatch(name):
        return None
    # The guide "Manage the cache" of huggingface_hub describes the folders.
    repository = Path(constants.HF_HUB_CACHE, "--".join(("models", *name.split("/"))))
    try:
        commit = (repository / "refs" / (revision or MAIN)).read_text().strip()
    except OSError:
        commit = revision or MAIN
    folder = repository / "snapshots" / commit
    return folder if folder.is_dir() else None


def fetch(name: str, revision: str | None = None, folder: Path | None = None) -> Path:
    """Fetch a model from the hub: configuration, tokenizer and safetensors, none of the repository's sub-folders.

    Args:
        name: the model's name on the hub.
        revision: a branch, a tag or a commit; the main branch by default.
        folder: a new or empty folder, which is there only when all of the model is; by default the cache.

    Returns:
        The folder, which `read_folder` reads.

    Raises:
        BadRequest: the folder cannot be made here.
        ModelUnreadable: the hub cannot be asked, does not give the model, or not so that it can be used.
        StorageFull: the disk has no room for it.
    """
    check_installed()
    check_name(name)
    if folder is not None:
        folder = folder.resolve()
        _check_new(folder)
    with _explained(name, revision, folder):
        commit, files = _files(name, revision)
        if folder is None:
            return _into_cache(name, revision, commit, files)
        return _into_folder(name, commit, files, folder)


def check_name(name: str) -> None:
    """See whether the hub could have a model of that name.

    Raises:
        ModelUnreadable: it could not.
    """
    if not HUB_NAME.fullmatch(name):
        raise ModelUnreadable(f"{name!r} is neither the absolute path of a folder nor a name of the hub (org/name)")


def _files(name: str, revision: str | None) -> tuple[str, list[str]]:
    """The commit, and the files to fetch: the weights last, so that a model without them is told to be incomplete."""
    # Only a server with text models has it.
    from huggingface_hub import HfApi
    from huggingface_hub.utils import disable_progress_bars, logging

    disable_progress_bars()
    # What fails is said once, by the error.
    logging.set_verbosity_error()
    found = HfApi().model_info(name, revision=revision, timeout=TIMEOUT)
    names = [file.rfilename for file in found.siblings or ()]
    if not {WEIGHTS, INDEX} & set(names):
        raise ModelUnreadable(f"{name!r} has no {WEIGHTS} on the hub: {CONVERT}")
    wanted = [file for file in names if "/" not in file and any(fnmatchcase(file, pattern) for pattern in FETCHED)]
    return str(found.sha), sorted(wanted, key=lambda file: (file.endswith(SAFETENSORS), file))


def _into_cache(name: str, revision: str | None, commit: str, files: list[str]) -> Path:
    # Only a server with text models has it.
    from huggingface_hub import HfApi

    hub = HfApi()
    paths = [hub.hf_hub_download(name, file, revision=commit) for file in files]
    folder = Path(paths[0]).parent
    read_folder(folder, called=repr(name))
    # Records which commit the revision is; last, so that the cache knows the model when it is whole.
    hub.hf_hub_download(name, CONFIG, revision=revision or MAIN)
    return folder


def _into_folder(name: str, commit: str, files: list[str], folder: Path) -> Path:
    # Only a server with text models has it.
    from huggingface_hub import HfApi

    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    beside.mkdir()
    try:
        for file in files:
            HfApi().hf_hub_download(name, file, revision=commit, local_dir=beside)
        # The library's notes about what it fetched.
        shutil.rmtree(beside / ".cache", ignore_errors=True)
        read_folder(beside, called=repr(name))
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _check_new(folder: Path) -> None:
    if not folder.parent.is_dir():
        raise BadRequest(f"the folder {folder.parent} does not exist; make it first")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise BadRequest(f"{folder} is not empty; name a new folder")


@contextmanager
def _explained(name: str, revision: str | None, folder: Path | None) -> Iterator[None]:
    try:
        yield
    except ModelUnreadable:
        raise
    except Exception as error:  # noqa: BLE001 - the library, and what it stands on, fail in many ways
        if isinstance(error, OSError) and error.errno in FULL:
            place = f"holds {folder.parent}" if folder else "holds the hub's cache (HF_HOME)"
            raise StorageFull(
                f"no space is left for {name!r} on the disk that {place}; nothing is kept of it"
            ) from error
        raise WeightsMissing(f"{name!r} cannot be fetched from the hub: {_reason(error, name, revision)}") from error


def _reason(error: Exception, name: str, revision: str | None) -> str:
    for cause in _causes(error):
        for kind, words in _words(_first_line(cause), name, revision).items():
            if isinstance(cause, kind):
                return words
    return _first_line(error)


def _words(line: str, name: str, revision: str | None) -> dict[type[Exception], str]:
    """What each of the library's errors means, and what to do; a subclass stands before its parent."""
    # Only a server with text models has them.
    import httpx2
    from huggingface_hub import errors

    elsewhere = (
        f"on a machine with a connection run `flask --app wsgi text fetch {name} DIR`, copy DIR here "
        "and set params.model to it"
    )
    return {
        errors.GatedRepoError: "it is gated; accept its conditions there, and set HF_TOKEN",
        errors.RepositoryNotFoundError: "there is no such model, or it is private and needs HF_TOKEN",
        errors.RevisionNotFoundError: f"it has no revision {revision!r}",
        errors.OfflineModeIsEnabled: f"HF_HUB_OFFLINE is set; {elsewhere}",
        httpx2.TransportError: f"no connection ({line}); {elsewhere}",
        errors.HfHubHTTPError: f"it answers {line}; {elsewhere}",
    }


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and those behind it: the library often wraps the one that tells."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
