"""gunicorn's own messages, in the form of the server's, and without what a client sent."""

import logging
import re
from typing import Any

from gunicorn.glogging import Logger

from server.logs import KEYS, REDACTED, LineFormatter

# Messages about a request, each with what kind of error it was.
OF_REQUESTS = ("Invalid request from ", "Error handling request ", "Ignored premature client disconnection")
# What the message quotes of it (a line, which may be a header or the body), and the query of its URL.
CONTENT = re.compile(r""":?\ b?['"].*|\?.*""", re.DOTALL | re.VERBOSE)


class MasterLog(Logger):
    """gunicorn's own messages, as JSON if the server's are."""

    as_json = False

    def setup(self, cfg: Any) -> None:
        """As gunicorn sets it up, at the start and at each reload."""
        super().setup(cfg)
        self.error_log.addFilter(without_content)
        if self.as_json:
            for handler in self.error_log.handlers:
                handler.setFormatter(LineFormatter(as_json=True))


def without_content(record: logging.LogRecord) -> bool:
    """Have a message about a request end after the kind of the error; every message is logged."""
    message = record.getMessage()
    if message.startswith(OF_REQUESTS):
        record.msg, record.args = KEYS.sub(REDACTED, CONTENT.sub("", message)), ()
    return True
