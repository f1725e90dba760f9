"""What comes after the search, in seconds: the test part, the files, the report, the program's end.

Takes a budget and what was timed. Must not know data or networks.
"""

from .timing import Timing

# Models that are averaged in the end at most, and the part of a budget that testing them may take.
_AVERAGED, _TESTING_SHARE = 5, 0.05
_WRITING = 1.0  # seconds to write the bundle, and
_PER_SAMPLE = 1e-4  # a test sample to write down
# Testing and writing vary: what was measured may be slower the next time. And the least to keep
# for what could not be measured: of the budget, and in seconds.
_MARGIN = 1.5
_LEAST_SHARE, _LEAST_SECONDS = 0.02, 0.5
# The report gets a share of the budget, up to so many seconds, and no more than it usually takes:
# some seconds, and the time of so many predictions.
_REPORT_SHARE, MOST_REPORT = 0.1, 60.0
_REPORT_USUAL, _REPORT_PREDICTIONS = 15.0, 5000
# To give memory back, which takes long on a busy machine.
_ENDING_SHARE, _ENDING_SECONDS = 0.02, 2.0


def averaged_models(budget: float, timing: Timing, samples: int) -> int:
    """Return how many models may be averaged, so that the test part does not take too long.

    Args:
        budget: Seconds of the whole budget.
        timing: Says what a prediction takes.
        samples: Number of test samples.
    """
    one = samples * timing.predicting
    return int(min(max(_TESTING_SHARE * budget / one, 1), _AVERAGED))


def seconds_after(budget: float, timing: Timing, samples: int, averaged: int) -> float:
    """Return the seconds of a budget that are kept for what comes after the search.

    Args:
        budget: Seconds of the whole budget.
        timing: Says what a prediction takes.
        samples: Number of test samples.
        averaged: Number of models that are averaged at most.
    """
    measured = averaged * samples * timing.predicting + _WRITING + _PER_SAMPLE * samples
    unknown = max(_LEAST_SHARE * budget, _LEAST_SECONDS)
    usual = _REPORT_USUAL + _REPORT_PREDICTIONS * timing.predicting
    report = min(_REPORT_SHARE * budget, MOST_REPORT, usual)
    return _MARGIN * measured + unknown + report + ending_seconds(budget)


def ending_seconds(budget: float) -> float:
    """Return the seconds of a budget that are kept for the program to end."""
    return max(_ENDING_SHARE * budget, _ENDING_SECONDS)
