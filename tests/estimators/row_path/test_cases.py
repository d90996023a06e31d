"""Whatever the schema, the vectorizer, the model and the row: both paths answer alike."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.estimators.row_path.cases import compared
from tests.estimators.row_path.text_cases import texts_compared

pytestmark = pytest.mark.slow
MODELS, ROWS, TEXTS = 50, 250, 100


@settings(max_examples=MODELS, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_ten_thousand_rows_of_random_models_are_answered_alike(seed):
    answered, reason = compared(seed, ROWS)
    assert reason is None
    assert answered > ROWS // 2


# scikit-learn warns of odd corpora: a term in all of them, stop words that are no terms.
@pytest.mark.filterwarnings("ignore")
@settings(max_examples=MODELS, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_five_thousand_texts_are_answered_alike_by_random_models_of_random_corpora(seed):
    answered, reason = texts_compared(seed, TEXTS)
    assert reason is None
    assert answered == TEXTS
