"""Whatever the schema, the model and the row: both paths answer alike."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.estimators.row_path.cases import compared

pytestmark = pytest.mark.slow
MODELS, ROWS = 50, 250


@settings(max_examples=MODELS, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_ten_thousand_rows_of_random_models_are_answered_alike(seed):
    answered, reason = compared(seed, ROWS)
    assert reason is None
    assert answered > ROWS // 2
