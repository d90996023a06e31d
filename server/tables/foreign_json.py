"""JSON as clients of other servers write it: Python's and RapidJSON's encoders write NaN for a missing number."""

import re
from typing import Any

import orjson

from server.tables.text_formats import not_json
from server.tables.utf8 import decode_text

# A text may lack its end: it is passed all the same, or each quote within would begin another, gone through to the end.
STRING_OR_NAN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|NaN', re.DOTALL)


def read_foreign_json(content: bytes, what: str) -> Any:
    """The value of a JSON text, in which NaN stands for null.

    Raises:
        BadRequest: this is no JSON.
    """
    content = decode_text(content, what)
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        if b"NaN" not in content:
            raise not_json(what, content, error) from error
    content = STRING_OR_NAN.sub(lambda found: b"null" if found[0] == b"NaN" else found[0], content)
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise not_json(what, content, error) from error
