"""A PostgreSQL of our own: a cluster in a temporary folder, on a unix socket and a free port."""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

from sqlalchemy import URL, create_engine, text

from tests.ports import free_port

PASSWORD = "secret@work/1"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl: Debian keeps them out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and on_path:
        found = [Path(on_path).resolve()]
    return found[-1].parent if found else None


class Postgres:
    """Started by `start`, gone without a trace after `stop`."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self.port = free_port()

    def url(self, database: str = "postgres", password: str = PASSWORD) -> str:
        """By TCP, with the password."""
        url = URL.create("postgresql+psycopg", "owner", password, "127.0.0.1", self.port, database)
        return url.render_as_string(hide_password=False)

    def fresh_url(self) -> str:
        """The URL of a new, empty database."""
        name = f"fresh_{uuid.uuid4().hex}"
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url(name)

    def start(self) -> None:
        (self._folder / "password").write_text(PASSWORD)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(self._owner())
            for path in (self._folder, self._folder / "password"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        self._run(
            "initdb", "--no-sync", "--encoding=UTF8", "--locale=C", "--username=owner", "--auth=scram-sha-256",
            f"--pwfile={self._folder / 'password'}",
        )  # fmt: skip
        settings = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run("pg_ctl", "--wait", f"--log={self._folder / 'log'}", f"--options={settings}", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "--mode=immediate", "stop")
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), f"--pgdata={self._folder / 'cluster'}", *arguments]
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            owner = self._owner()
            command = [
                "setpriv",
                f"--reuid={owner}",
                f"--regid={pwd.getpwnam(owner).pw_gid}",
                "--clear-groups",
                *command,
            ]
        # The server keeps what it inherits: with a pipe, nobody would see the end of pg_ctl.
        done = subprocess.run(
            command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False
        )
        log = self._folder / "log"
        assert done.returncode == 0, (program, log.read_text() if log.exists() else "")

    @staticmethod
    def _owner() -> str:
        return "postgres" if "postgres" in {user.pw_name for user in pwd.getpwall()} else "nobody"
