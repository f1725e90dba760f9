"""How the shipped models are explained and run where nothing else is chosen.

Gives constants that the demo and comparisons share. Must not know either of them.
"""

from collections.abc import Mapping
from types import MappingProxyType

# Presets with their parameters, all fixed before anything was measured, and not tuned. epsilon is
# relative: at 1e-6 the rule would be LRP-0 in all but name. A tenth of the root mean square of z is
# what the tutorial to the overview chapter of Montavon et al. (2019) takes on MNIST. The box is the
# range of the pixels.
PRESET_PARAMETERS: Mapping[str, Mapping[str, float | bool]] = MappingProxyType(
    {
        "zero": {},
        "epsilon": {"epsilon": 0.1, "relative": True},
        "gamma": {"gamma": 0.25},
        "alpha-beta": {"alpha": 2.0, "beta": 1.0},
        "epsilon-plus-flat": {},
        "epsilon-gamma-box": {"low": 0.0, "high": 1.0},
    }
)

BATCH_SIZE = 250  # of the sizes from 50 to 1,000 the fastest on two cores
