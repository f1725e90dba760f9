"""Fixtures that several test files here share."""

import pytest
from helpers.many_shapes import small_bert

import relprop
from relprop.capture import model as capturing


@pytest.fixture(scope="module")
def bert() -> relprop.Explainer:
    """Explains a small BERT."""
    return small_bert()


@pytest.fixture
def captures(monkeypatch):
    """Lists the open sizes of each capture."""
    opened, capture = [], capturing.capture_model

    def counted(model, inputs, output, per_input=False, free=(), run=False):
        opened.append(sorted(free))
        return capture(model, inputs, output, per_input, free, run)

    monkeypatch.setattr(capturing, "capture_model", counted)
    return opened
