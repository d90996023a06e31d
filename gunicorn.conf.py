"""gunicorn's settings; each can be overridden on its command line or in GUNICORN_CMD_ARGS."""

import os

from server import lifecycle
from server.config import load_config
from server.errors import ConfigError
from server.master_log import MasterLog


def _server_section():
    try:
        return load_config().server
    except ConfigError:
        # The application says what is wrong.
        return None


SERVER = _server_section()
ASKS_FOR_KEYS = SERVER is not None and SERVER.keys is not None
# Without keys, whoever reaches the server may do everything.
bind = os.environ.get("RESTIMATOR_BIND", lifecycle.usual_address(ASKS_FOR_KEYS, "127.0.0.1:8000", "0.0.0.0:8000"))
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# Keeps connections alive, and a long request does not hold up the worker's heartbeat.
worker_class = "gthread"
# They are made when they are needed. Most may wait for trainings, which takes nothing but a thread.
threads = 24
# Models are loaded before the fork: all workers share their memory.
preload_app = True
timeout = 120
graceful_timeout = 30
limit_request_line = 8190
# It would open a socket in the user's home folder.
control_socket_disable = True
logger_class = MasterLog
MasterLog.as_json = SERVER is not None and SERVER.log.format == "json"
# Before anything counts.
lifecycle.prepare_metrics()


def on_starting(server):
    """Fork the launcher of trainings while the master has neither threads nor workers."""
    lifecycle.take_over(server)
    if server.cfg.preload_app:
        server.app.wsgi().extensions["restimator"].before_fork()


def when_ready(server):
    """Say who can reach the server, if it asks for no key."""
    lifecycle.tell_who_is_answered(server, ASKS_FOR_KEYS)


def on_reload(server):
    """The same of a changed configuration."""
    lifecycle.tell_who_is_answered(server, ASKS_FOR_KEYS)


def pre_fork(server, worker):
    """Each worker counts in a place of its own, which the next one takes over."""
    lifecycle.assign_place(server, worker)


def post_fork(_server, worker):
    """From here on this process is the worker."""
    lifecycle.count_in_place(worker)


def post_worker_init(worker):
    """The worker begins to work."""
    lifecycle.begin_work(worker)


def child_exit(_server, worker):
    """A worker ended."""
    lifecycle.leave_place(worker)
