"""How the time of a search is divided: into many whole trainings, or a few short ones and one long.

Takes measured and estimated seconds. Gives a frozen plan, which can be printed. Must not know data
or networks.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["folds", "whole", "slices", "single"]

# Folds are for data so small that a validation part would say little.
MOST_FOLDED, FOLDS = 5000, 5
# Above this share of the time a training is long: then a few short ones choose what is trained.
_LONG = 0.35
_EXPLORED = 0.25  # of the time, at most, for short trainings
_SLICE = 0.05  # of the time: a short training, unless that is less than
_SLICE_EPOCHS = 2
# Other settings may take longer than the default, whose learning rate then falls faster.
_SLOWER = 2.0
_AGAIN = 4  # trainings on everything that are kept time for


@dataclass(frozen=True)
class Allocation:
    """How the time of a search is divided.

    Attributes:
        kind: "folds": the default is trained on everything, then trials are cross-validated.
            "whole": each trial is a whole training. "slices": trials are short, and what was best
            is trained for the rest of the time. "single": there is time for one training.
        trial: The most seconds of a trial.
        explore: Seconds after which no trial is begun.
    """

    kind: Kind
    trial: float
    explore: float

    def describe(self) -> str:
        """Say the plan in a sentence."""
        return {
            "folds": f"each trial is validated on {FOLDS} folds",
            "whole": "each trial is a whole training",
            "slices": f"trials of {self.trial:.0f} s choose what is trained for the other time",
            "single": "there is time for one training",
        }[self.kind]


def allocate(
    *, training: float, epoch: float, seconds: float, samples: int, may_fold: bool
) -> Allocation:
    """Divide the time of a search.

    Args:
        training: Seconds that the default's whole training is estimated to take.
        epoch: Seconds of a pass over the training part.
        seconds: Time for the search.
        samples: Training and validation samples.
        may_fold: Whether rows may be mixed: no groups and no order of time were named.

    Example:
        >>> allocate(training=600, epoch=20, seconds=800, samples=60_000, may_fold=True).kind
        'slices'
    """
    if training <= _LONG * seconds:
        if may_fold and samples <= MOST_FOLDED:
            # what was best is trained once more, on everything, and some others to average it with
            again = min(_AGAIN * training, seconds / 2)
            return Allocation("folds", _SLOWER * FOLDS * training, seconds - again)
        return Allocation("whole", _SLOWER * training, seconds)
    short = max(_SLICE * seconds, _SLICE_EPOCHS * epoch)
    if 2 * short > _EXPLORED * seconds:
        return Allocation("single", seconds, 0.0)
    return Allocation("slices", short, _EXPLORED * seconds)
