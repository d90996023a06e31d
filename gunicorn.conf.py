"""gunicorn's settings; each can be overridden on its command line or in GUNICORN_CMD_ARGS."""

import os

bind = os.environ.get("RESTIMATOR_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# Keeps connections alive, and a long request does not hold up the worker's heartbeat.
worker_class = "gthread"
threads = 8
# Models are loaded before the fork: all workers share their memory.
preload_app = True
timeout = 120
graceful_timeout = 30
limit_request_line = 8190
# It would open a socket in the user's home folder.
control_socket_disable = True


def on_starting(server):
    """Fork the launcher of trainings while the master has neither threads nor workers."""
    if server.cfg.preload_app:
        server.app.wsgi().extensions["restimator"].before_fork()


def post_worker_init(worker):
    """Begin what nobody needs to ask for: the endpoints' first trainings."""
    worker.app.wsgi().extensions["restimator"].start()
