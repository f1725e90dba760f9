"""Sweeps over many cases of one kind: a sample in `make test`, all in `make slow`."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def sample(cases: Iterable[Any], kept: int = 3) -> list[Any]:
    """Mark all but `kept` cases as slow, evenly spaced ones staying.

    Args:
        cases: Values of a parametrised test, or tuples of them.
        kept: How many `make test` runs.
    """
    listed = list(cases)
    chosen = {round(i * (len(listed) - 1) / max(1, kept - 1)) for i in range(kept)}
    return [one if i in chosen else _slow(one) for i, one in enumerate(listed)]


def _slow(case: Any) -> Any:
    if isinstance(case, Sequence) and not isinstance(case, str):
        return pytest.param(*case, marks=pytest.mark.slow)
    return pytest.param(case, marks=pytest.mark.slow)
