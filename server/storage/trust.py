"""Which model files are read: those that say of themselves, by a digest, that this server wrote them, or any.

A pickle is code: it is to be known before it is read. Layout of a file: what was written, a digest of that (32
bytes), its kind (1 byte), MAGIC. A folder has the digest of all its files in a file of its own. With a secret the
digest is an HMAC, which nobody can make who lacks it; without one it is SHA-256, which tells accidents, and files that
others put there.
"""

import hashlib
import hmac
import os
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO

from server.errors import ModelUnreadable

MAGIC = b"RESTIMATOR-DIGEST"
PLAIN, KEYED = b"s", b"h"
LENGTH = 32
TAIL = LENGTH + 1 + len(MAGIC)
CHUNK = 1 << 20
OF_A_FOLDER = "restimator.digest"
ADVICE = "train it here, or set server.trust_models: any"


@dataclass(frozen=True)
class Trust:
    """What is read: anything but damaged files, or only what this server wrote, and signed if there is a secret."""

    only_own: bool = False
    secret: bytes | None = field(default=None, repr=False)

    def sign(self, path: Path) -> None:
        """Write the digest of a finished file, or of all files in a folder."""
        if path.is_dir():
            (path / OF_A_FOLDER).write_bytes(self._of_folder(path, self._kind()) + self._kind())
            return
        with path.open("r+b") as file:
            digest = self._of_file(file, file.seek(0, os.SEEK_END), self._kind())
            file.seek(0, os.SEEK_END)
            file.write(digest + self._kind() + MAGIC)

    def opened(self, path: Path) -> IO[bytes]:
        """The file, to be unpickled by the caller, who closes it.

        Raises:
            FileNotFoundError: there is none.
            ModelUnreadable: its digest is not that of its content, or there is none and must be.
        """
        file: IO[bytes] = path.open("rb")
        if self.only_own and self.secret is not None:
            # Who can write the folder must not change what was checked before it is read.
            with file:
                file = BytesIO(file.read())
        try:
            end = content_end(file)
            signed = end < file.seek(0, os.SEEK_END)
            file.seek(end)
            written, kind = file.read(LENGTH), file.read(1)
            if not signed:
                self._check_unsigned(path)
            elif self._can_check(path, kind) and not hmac.compare_digest(written, self._of_file(file, end, kind)):
                raise _differs(path)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def check_folder(self, path: Path) -> None:
        """See to it that a folder may be read; it holds no code but what its facts name, so usually it may.

        Raises:
            ModelUnreadable: this server did not write it so, and must have.
        """
        if not self.only_own:
            return
        try:
            content = (path / OF_A_FOLDER).read_bytes()
        except FileNotFoundError:
            self._check_unsigned(path)
            return
        kind = content[LENGTH:]
        if self._can_check(path, kind) and not hmac.compare_digest(content[:LENGTH], self._of_folder(path, kind)):
            raise _differs(path)

    def _kind(self) -> bytes:
        return PLAIN if self.secret is None else KEYED

    def _check_unsigned(self, path: Path) -> None:
        if self.only_own:
            raise ModelUnreadable(
                f"{_called(path)} bears no digest: this server did not write it (server.trust_models: digest); {ADVICE}"
            )

    def _can_check(self, path: Path, kind: bytes) -> bool:
        """Whether the digest can be told right from wrong here; if it must be and cannot, that is told."""
        if self.only_own and kind != self._kind():
            how = "is not signed by" if self.secret else "is signed, and there is no"
            raise ModelUnreadable(f"{_called(path)} {how} server.model_secret (server.trust_models: digest); {ADVICE}")
        return kind == PLAIN or self.secret is not None

    def _of_file(self, file: IO[bytes], end: int, kind: bytes) -> bytes:
        digest = hmac.new(self.secret or b"", digestmod="sha256") if kind == KEYED else hashlib.sha256()
        file.seek(0)
        while part := file.read(min(CHUNK, end - file.tell())):
            digest.update(part)
        return digest.digest()

    def _of_folder(self, folder: Path, kind: bytes) -> bytes:
        total = hmac.new(self.secret or b"", digestmod="sha256") if kind == KEYED else hashlib.sha256()
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != OF_A_FOLDER):
            name = str(path.relative_to(folder)).encode()
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                total.update(b"%d %b %b" % (len(name), name, self._of_file(file, size, PLAIN)))
        return total.digest()


ANY = Trust()


def content_end(file: IO[bytes]) -> int:
    """Where what was written ends, and its digest begins; the end of a file without one."""
    end = file.seek(0, os.SEEK_END)
    if end < TAIL:
        return end
    file.seek(end - len(MAGIC))
    return end - TAIL if file.read() == MAGIC else end


def _differs(path: Path) -> ModelUnreadable:
    return ModelUnreadable(
        f"{_called(path)} is damaged, or was changed since it was written: its digest does not match"
    )


def _called(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
