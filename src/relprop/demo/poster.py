"""The founding rule table: figures of a poster on LRP rules and MNIST, and who made it."""

from collections.abc import Mapping
from types import MappingProxyType

AUTHORS = ("Carwyn Collinsworth", "Gopi Sumanth Sanka", "Akhil Arradi")

# Margins of the strongest correct and of the strongest incorrect classification, as printed there.
POSTER: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "zero": (0.94473, 0.07645),
        "epsilon": (0.96633, 0.09543),
        "gamma": (0.89288, 0.08678),
        "alpha-beta": (0.79616, 0.08536),  # called "Composite LRP" there
    }
)
POSTER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "zero": "LRP-0",
        "epsilon": "LRP-\N{GREEK SMALL LETTER EPSILON}",
        "gamma": "LRP-\N{GREEK SMALL LETTER GAMMA}",
        "alpha-beta": "Composite LRP",
    }
)
