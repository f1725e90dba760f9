"""How the time of a search is divided: into many whole trainings, or a few short ones and one long.

Takes measured and estimated seconds. Gives a frozen plan, which can be printed. Must not know data
or networks.
"""

from dataclasses import dataclass
from typing import Literal

AllocationKind = Literal["folds", "whole", "slices", "single"]

# Folds are for data so small that a validation part would say little.
MOST_FOLDED, FOLDS = 3000, 5
# Above this share of the time a training is long: then a few short ones choose what is trained.
_LONG = 0.35
_EXPLORED = 0.25  # of the time, at most, for short trainings
_SLICE = 0.05  # of the time: a short training, unless that is less than
_SLICE_EPOCHS = 2
# Other settings may take longer than the default, whose learning rate then falls faster; where the
# default is fast, another family may be much slower and better: it has so much of the time.
_SLOWER, _FAIR = 2.0, 0.1
_AGAIN = 4  # trainings on everything that are kept time for
# Whole trainings that are kept time for: one that has begun, and a somewhat longer one in the end.
_ONCE_MORE = 2.3


@dataclass(frozen=True)
class Allocation:
    """How the time of a search is divided.

    Attributes:
        kind: "folds": the default is trained on everything, then trials are cross-validated.
            "whole": each trial is a whole training. "slices": trials are short, and what was best
            is trained for the rest of the time. "single": there is time for one training.
        trial: The most seconds of a trial; one that begins late has fewer, see `limit`.
        usual: Seconds that a trial is expected to take.
        explore: Seconds after which no trial is begun; of "whole", unless an average is better
            than the best model, which then is not trained once more.
        long: Of "slices": how many whole trainings there is time for after the short ones, 1 or
            more; they are averaged.
    """

    kind: AllocationKind
    trial: float
    usual: float
    explore: float
    long: int = 1

    def limit(self, spent: float) -> float:
        """Return the most seconds of a trial that begins after so many.

        One that is much slower than usual takes no time that is kept for what comes after trials.
        """
        return min(self.trial, max(_SLOWER * self.usual, self.explore - spent))

    def describe(self) -> str:
        """Say the plan in a sentence."""
        return {
            "folds": f"the default learns everything; each trial is validated on {FOLDS} folds, "
            "as far as there is time",
            "whole": "each trial is a whole training; where there is time, the best settings then "
            "learn most of the validation part, too",
            "slices": f"trials of {self.trial:.0f} s choose what is trained for the other time"
            + (f", {self.long} times, to average" if self.long > 1 else ""),
            "single": "there is time for one training",
        }[self.kind]


def allocate(*, training: float, epoch: float, seconds: float, fold: bool) -> Allocation:
    """Divide the time of a search.

    Args:
        training: Seconds that the default's whole training is estimated to take.
        epoch: Seconds of a pass over the training part.
        seconds: Time for the search.
        fold: Whether trials are cross-validated, as small data is.

    Example:
        >>> allocate(training=600, epoch=20, seconds=800, fold=False).kind
        'slices'
    """
    if fold:
        # what was best is trained once more, on everything, and some others to average it with
        again = min(_AGAIN * training, seconds / 2)
        folded = FOLDS * training
        return Allocation("folds", _SLOWER * folded, folded, seconds - again)
    if training <= _LONG * seconds:
        explore = seconds - _ONCE_MORE * training
        longest = max(_SLOWER * training, _FAIR * seconds)
        return Allocation("whole", longest, training, explore)
    short = max(_SLICE * seconds, _SLICE_EPOCHS * epoch)
    if 2 * short > _EXPLORED * seconds:
        return Allocation("single", seconds, seconds, 0.0)
    explore = _EXPLORED * seconds
    return Allocation(
        "slices", short, short, explore, max(1, round((seconds - explore) / training))
    )
