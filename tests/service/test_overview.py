"""What a page says of an endpoint."""

import pytest

from server.estimators.base import ModelKind
from server.estimators.catalogue import find_class, kind_of_model
from server.service.fitting import FAMILIES
from server.service.overview import USUAL_CLASSES

NAMES = [(kind, name) for kind, names in USUAL_CLASSES.items() for name in names]


@pytest.mark.parametrize(("kind", "name"), NAMES, ids=[name for _, name in NAMES])
def test_every_usual_class_can_be_trained_and_does_what_its_group_says(kind, name):
    cls = find_class(name)
    assert (ModelKind.FORECASTER if cls in FAMILIES else kind_of_model(cls())) == kind


def test_no_class_is_listed_twice():
    assert len({name for _, name in NAMES}) == len(NAMES)
