"""Times the first steps of a training, and divides the time of a search by them.

Takes a request and prepared data. Gives seconds, or says how much more time is needed. Must not
know trials.
"""

import os
from contextlib import suppress

import torch

from ..bundles.read import is_bundle
from ..data.dataset import Dataset
from ..errors import InputError
from .after_search import seconds_after
from .alarm import OutOfTime, end_after
from .allocation import Allocation, allocate
from .budget import Deadline, write_duration
from .model import TrainingRecipe, trial_seed
from .opening import memory_of_search
from .prepared import PreparedData, Rows
from .request import FitRequest
from .space import FamilySpace
from .timing import Timing, time_training

# Timing the first steps may take this part of a budget, or so many seconds if that is more; what
# is left of the budget, but some seconds at least, by which to say what is needed.
_TIMING_SHARE, _TIMING_SECONDS, _TIMING_LEAST = 0.3, 30.0, 10.0
_TEACHING_SHARE = 0.2  # of a budget, that the first teacher may take
_CALM = 0.5  # of the time that is left: the shortest training, unless cores are busy
_TOO_SMALL = 1.2  # how much more time is named than is needed at least


def time_first_steps(
    request: FitRequest, data: PreparedData, space: FamilySpace, rows: Rows
) -> Timing:
    """Time the first steps, for not too long.

    Where other programs keep all cores busy, threads that wait for each other may take a hundred
    times as long: what seems too slow is timed again with one thread, and goes on with it.

    Args:
        request: What is asked for.
        data: The samples.
        space: The family whose default is timed.
        rows: Samples that are learned, by number.

    Raises:
        InputError: The first steps were not over after a part of the budget.
    """
    recipe = TrainingRecipe(
        space.family,
        space.default,
        trial_seed(request.settings.seed, 0),
        request.settings.device,
    )
    timing, most = None, max(_TIMING_SHARE * request.settings.seconds, _TIMING_SECONDS)
    for threads in _numbers_of_threads():
        allowed = min(most, max(request.deadline.left(), _TIMING_LEAST))
        torch.set_num_threads(threads)
        with suppress(OutOfTime), end_after(allowed):
            timing = time_training(data, recipe, rows, _TEACHING_SHARE * request.settings.seconds)
        if timing is not None and timing.least < _CALM * request.deadline.left():
            break
    if timing is None:
        raise InputError(
            f"a budget of {write_duration(request.settings.seconds)} for {data.dataset.source}, "
            f"of which the first steps of a training were not over after {allowed:.0f} s",
            "a budget for one training at least",
            f"write --budget {write_duration(20 * allowed)}, or name a smaller family in [space]",
        )
    return timing


def _numbers_of_threads() -> tuple[int, ...]:
    """Return what is tried: all threads; and one, where other programs keep the cores busy."""
    most = torch.get_num_threads()
    is_busy = hasattr(os, "getloadavg") and os.getloadavg()[0] > (os.cpu_count() or 1)
    return (most, 1) if is_busy and most > 1 else (most,)


def allocate_time(
    request: FitRequest, dataset: Dataset, timing: Timing, averaged: int, fold: bool
) -> tuple[Allocation, Deadline]:
    """Divide the time that is left for the search, with so many models in the end.

    Args:
        request: What is asked for.
        dataset: The data.
        timing: What a training takes.
        averaged: Number of models that are averaged at most.
        fold: Whether trials are cross-validated.

    Raises:
        InputError: The budget is too small for one training.
    """
    seconds = request.settings.seconds
    later = seconds_after(seconds, timing, len(dataset.rows("test")), averaged)
    deadline = Deadline.of_call(request.deadline.before(later).left())
    _check_budget(request, timing, later, deadline)
    training, epoch = timing.training, timing.epoch
    return allocate(training=training, epoch=epoch, seconds=deadline.seconds, fold=fold), deadline


def _check_budget(request: FitRequest, timing: Timing, later: float, deadline: Deadline) -> None:
    """Raise InputError where the time is too short for one training, and say what it takes."""
    if deadline.seconds >= timing.least:
        return
    out = request.settings.out
    if deadline.seconds > 0 and is_bundle(out) and memory_of_search(out) is not None:
        return  # the model of an earlier run of this search is tested and written
    budget = request.settings.seconds
    begun = request.deadline.spent()
    needed = _TOO_SMALL * (begun + timing.least + later)
    raise InputError(
        f"a budget of {write_duration(budget)}, which is too small for one training",
        f"about {write_duration(needed)} at least, as fast as this machine is now: {begun:.0f} s "
        f"to start and read, {timing.least:.0f} s for the shortest training, {later:.0f} s to test "
        "and write",
        f"write --budget {write_duration(needed)}, or more for a better model",
    )
