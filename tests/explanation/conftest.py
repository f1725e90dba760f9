"""Shared by the tests of open sizes."""

import pytest

from relprop.capture import model as capturing


@pytest.fixture
def captures(monkeypatch):
    """Lists the open sizes of each capture."""
    opened, capture = [], capturing.capture_model

    def counted(model, inputs, output, per_input=False, free=()):
        opened.append(sorted(free))
        return capture(model, inputs, output, per_input, free)

    monkeypatch.setattr(capturing, "capture_model", counted)
    return opened
