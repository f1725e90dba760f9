"""Short trainings, where it does not matter how good a network is."""

import pytest

from relprop.use.selection import features


@pytest.fixture
def short_training(monkeypatch):
    """Train small networks for 100 steps at most, not 600."""
    monkeypatch.setattr(features, "_STEPS", 100)
    monkeypatch.setattr(features, "_LONGEST", 50)
