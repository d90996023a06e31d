"""The parameters of the TF-IDF vectorizer: some of them scikit-learn checks only when it vectorizes, here at once."""

import re
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from server.errors import InvalidParameter
from server.estimators.parameters import check_parameters
from server.estimators.tabular import first_line


def check_vectorizer(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of TfidfVectorizer in the types that it takes.

    Raises:
        InvalidParameter: it has no such parameter, or not with this value.
    """
    # scikit-learn demands a tuple here, and YAML and JSON have lists.
    pairs = {name: tuple(value) for name, value in params.items() if name == "ngram_range" and isinstance(value, list)}
    checked = check_parameters(TfidfVectorizer, {**params, **pairs})
    if checked.get("input", "content") != "content":
        raise InvalidParameter("the parameter 'input' of TfidfVectorizer must be 'content': texts come in requests")
    if "ngram_range" in checked:
        _check_range(checked["ngram_range"])
    if "dtype" in checked:
        checked["dtype"] = _float_type(checked["dtype"])
    for name, value in checked.items():
        _try_out(name, value)
    return checked


def _check_range(value: tuple[Any, ...]) -> None:
    whole = all(isinstance(number, int) and not isinstance(number, bool) for number in value)
    if not (whole and len(value) == 2 and 1 <= value[0] <= value[1]):
        raise InvalidParameter(
            "the parameter 'ngram_range' of TfidfVectorizer must be a pair of whole numbers, the fewest and the most "
            f"words of a term, such as [1, 2], not {list(value)!r}"
        )


def _float_type(value: Any) -> type:
    """numpy's type of this name: YAML has names only."""
    try:
        found = np.dtype(value).type
    except TypeError:
        found = None
    if found not in (np.float64, np.float32):
        raise InvalidParameter(f"the parameter 'dtype' of TfidfVectorizer must be float64 or float32, not {value!r}")
    return found


def _try_out(name: str, value: Any) -> None:
    """Vectorize a text, with a vocabulary that is given: any text will do then."""
    vectorizer = TfidfVectorizer(**({"vocabulary": ["text"]} | {name: value}))
    try:
        with warnings.catch_warnings():
            # What is merely odd, the training logs.
            warnings.simplefilter("ignore")
            vectorizer.fit(["some text"])
    except (ValueError, TypeError, LookupError, re.error) as error:
        raise InvalidParameter(
            f"the parameter {name!r} of TfidfVectorizer cannot be {value!r}: {first_line(error)}"
        ) from error
