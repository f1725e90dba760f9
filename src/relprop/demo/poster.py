"""Figures of a poster on LRP rules and MNIST, with which a section of the demo's page compares."""

from collections.abc import Mapping
from types import MappingProxyType

# Margins of the strongest correct and of the strongest wrong classification, as printed there.
POSTER: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "zero": (0.94473, 0.07645),
        "epsilon": (0.96633, 0.09543),
        "gamma": (0.89288, 0.08678),
        "alpha-beta": (0.79616, 0.08536),  # called "composite" there
    }
)
