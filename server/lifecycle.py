"""gunicorn's master, taught to drain before it ends, and to take a changed configuration or none.

It ends at once on SIGTERM, and on SIGHUP restarts its workers with the application that was loaded at the start. The
hooks of gunicorn.conf.py put these functions in the place of its own.
"""

import atexit
import gc
import importlib
import logging
import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from server.errors import ServerError
from server.web.counters import FOLDER, PREFIX, clear_place, discard, take_place
from server.web.waiting import keep_threads

# Seconds that a new configuration may take to be tried.
PATIENCE = 300.0
MOST = 2**16
# Where this master's workers count, once that is known.
_folder: list[Path] = []
LOOPBACK = ("127.", "localhost", "[::1]", "unix:")
# The address that this master listens on, if nobody chose one.
_usual: list[str] = []


def usual_address(asks_for_keys: bool, loopback: str, everywhere: str) -> str:
    """Where to listen if nobody chose an address; a reload never moves the server from this machine to all addresses.

    Args:
        asks_for_keys: whether the server asks for keys now.
        loopback: the address for this machine only.
        everywhere: the address for all who can reach the machine.
    """
    wanted = everywhere if asks_for_keys else loopback
    if not _usual:
        _usual.append(wanted)
    return loopback if _usual[0] == loopback else wanted


def tell_who_is_answered(arbiter: Any, asks_for_keys: bool) -> None:
    """Log who can reach the server where that may surprise somebody."""
    # Sockets may have been handed over, by systemd or by the master before this one.
    sockets = [str(listener).rpartition("://")[2] for listener in arbiter.LISTENERS] or arbiter.cfg.bind
    is_local, addresses = all(address.startswith(LOOPBACK) for address in sockets), ", ".join(sockets)
    if asks_for_keys:
        if is_local and arbiter.cfg.bind == _usual:
            arbiter.log.info("the server listens on %s only; with keys, a restart would open it to all", addresses)
    elif is_local:
        arbiter.log.info("no keys are configured (server.keys): only this machine is answered")
    else:
        arbiter.log.warning(
            "no keys are configured (server.keys), and the server listens on %s: whoever reaches it can train, change "
            "and delete models",
            addresses,
        )


def prepare_metrics() -> None:
    """An empty folder for what workers count, once for this master: reloads read its settings again, and go on."""
    if _folder:
        return
    given = os.environ.get(FOLDER)
    folder = Path(given or tempfile.mkdtemp(prefix=PREFIX))
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("*.db"):
        left.unlink()
    os.environ[FOLDER] = str(folder)
    _folder.append(folder)
    if given is None:
        atexit.register(discard, str(folder), os.getpid())


def assign_place(arbiter: Any, worker: Any) -> None:
    """Give a new worker the first free place to count in, before it is forked."""
    taken = {getattr(one, "place", 0) for one in arbiter.WORKERS.values()}
    worker.place = min(set(range(1, len(taken) + 2)) - taken)


def count_in_place(worker: Any) -> None:
    """Have this process, a new worker, count in its place."""
    take_place(str(worker.place))


def begin_work(worker: Any) -> None:
    """Begin what nobody needs to ask for, the endpoints' first trainings; keep threads from waiting for trainings."""
    if worker.cfg.worker_class_str == "gthread":
        keep_threads(worker.cfg.threads)
        answer_who_waits(worker)
    worker.app.wsgi().extensions["restimator"].start()


def answer_who_waits(worker: Any) -> None:
    """Have a worker, once it is told to end, take the connections that wait for it, and leave the port.

    gunicorn's own takes none of them and holds the port until its last answer: who connected a moment before, and who
    connects meanwhile, is cut off without an answer instead of being answered, or refused.
    """
    enable = worker.set_accept_enabled

    def set_accept_enabled(enabled: bool) -> None:
        enable(enabled)
        if not enabled and not worker.alive:
            for listener in worker.sockets:
                _take_all(worker, listener)

    worker.set_accept_enabled = set_accept_enabled


def _take_all(worker: Any, listener: Any) -> None:
    for _ in range(worker.cfg.backlog):
        if not select.select([listener], [], [], 0)[0]:
            break
        worker.accept(listener)
    listener.close()


def leave_place(worker: Any) -> None:
    """What a worker was just answering when it ended is answered no more."""
    folder = os.environ.get(FOLDER)
    if folder:
        clear_place(folder, str(worker.place))


def take_over(arbiter: Any) -> None:
    """Put draining and reloading in the place of gunicorn's own; of the methods of this one master only."""
    arbiter.handle_term = lambda: drain(arbiter)
    renew = arbiter.reload
    arbiter.reload = lambda: reload(arbiter, renew)


def drain(arbiter: Any) -> None:
    """Tell who asks /readyz that the server is about to end; end it once they had time to hear that.

    A second SIGTERM ends it at once.

    Raises:
        StopIteration: gunicorn's way to end, which waits for requests in flight.
    """
    if arbiter.app.callable is None:
        # Not preloaded: what the master could say would not reach the workers.
        raise StopIteration
    application = arbiter.app.callable.extensions["restimator"]
    seconds = application.config.server.drain_seconds
    was_draining = bool(application.draining)
    application.draining.begin()
    if was_draining or not seconds:
        raise StopIteration
    arbiter.log.info("draining for %g seconds (server.drain_seconds)", seconds)
    # The master has no threads, and must go on looking after its workers.
    signal.signal(signal.SIGALRM, lambda *_: arbiter.SIG_QUEUE.put_nowait(signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, seconds)


def reload(arbiter: Any, renew: Callable[[], None]) -> None:
    """Serve the configuration as it is now, by new workers; if it cannot be served, say why and change nothing.

    Args:
        arbiter: the master.
        renew: its own way to read its settings anew and to exchange the workers, those in flight last.
    """
    app = arbiter.app
    if app.callable is None:
        # Not preloaded: each worker loads the application itself.
        if not _is_refused(arbiter, refusal(lambda: _read_settings(app))):
            renew()
        return
    before: Any = app.callable.extensions["restimator"]
    if before.draining:
        arbiter.log.warning("the server is draining: its configuration is not taken anew")
        return
    if _is_refused(arbiter, refusal(lambda: _load(app)) or _exchange(app)):
        return
    # The new workers must not keep the old launcher alive, nor the old application be kept for ever.
    before.runner.leave_launcher()
    before = None
    app.callable.extensions["restimator"].before_fork()
    renew()
    arbiter.log.info("the configuration was taken anew")


def _is_refused(arbiter: Any, reason: str | None) -> bool:
    if reason is not None:
        arbiter.log.error("the changed configuration is not taken, and the old one goes on serving: %s", reason)
    return reason is not None


def refusal(load: Callable[[], object]) -> str | None:
    """Why this cannot be done, tried in a child: whatever it imports, keeps or breaks is gone with it; None if it can.

    Args:
        load: what is tried.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        reason = _failure(load)
        os.write(writing, (reason or "").encode()[:MOST])
        os._exit(reason is not None)
    os.close(writing)
    told = _until_closed(reading)
    os.close(reading)
    if told is None:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if told is None:
        return f"loading it takes longer than {PATIENCE:g} seconds"
    return None if status == 0 else told or f"loading it ends the process (status {status})"


def _until_closed(reading: int) -> str | None:
    """All that comes; None if the end does not."""
    deadline, told = time.monotonic() + PATIENCE, b""
    while select.select([reading], [], [], max(0.0, deadline - time.monotonic()))[0]:
        more = os.read(reading, MOST)
        if not more:
            return told.decode(errors="replace")
        told += more
    return None


def _failure(load: Callable[[], object]) -> str | None:
    """What goes wrong; warnings are logged when it is done in earnest."""
    logging.disable(logging.CRITICAL)
    try:
        load()
    except ServerError as error:
        return error.detail
    except BaseException as error:  # noqa: BLE001 - whatever happens, the old configuration goes on
        return _told(error)
    finally:
        logging.disable(logging.NOTSET)
    return None


def _load(app: Any) -> None:
    """Read the settings, and build the application from its module as if it were for the first time.

    Raises:
        SystemExit: it cannot be built, or the settings are wrong; the text says why.
    """
    _read_settings(app)
    sys.modules.pop(app.app_uri.partition(":")[0], None)
    importlib.invalidate_caches()
    app.callable = None
    app.wsgi()


def _read_settings(app: Any) -> None:
    """Read gunicorn's settings anew.

    Raises:
        SystemExit: they are wrong, or name another address. The old workers listen until the new ones are there, so
            that one port could not be taken at both.
    """
    before = app.cfg
    app.reload()
    if app.cfg.address != before.address:
        raise SystemExit(
            f"its address would be {', '.join(app.cfg.bind)} instead of {', '.join(before.bind)}, which takes a "
            "restart; RESTIMATOR_BIND keeps one for all configurations"
        )


def _exchange(app: Any) -> str | None:
    """Load the application in earnest; why not, if what could be loaded a moment ago cannot be any more."""
    before, settings = app.callable, app.cfg
    modules: Mapping[str, Any] = dict(sys.modules)
    # What the old application leaves behind in circles is to be found.
    gc.unfreeze()
    try:
        _load(app)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever happens, the old configuration goes on
        app.callable, app.cfg = before, settings
        sys.modules.update(modules)
        return _told(error)
    return None


def _told(error: BaseException) -> str:
    """An error in one line; who ends the process with a number has said why before."""
    text = "" if isinstance(error, SystemExit) and isinstance(error.code, int) else str(error)
    return text.removeprefix("Restimator cannot start: ") or f"{type(error).__name__}; the log says why"
