"""From a data set to a bundle, within the budget: reads, times, searches, finishes.

Takes what the user asked for. Gives the content of the bundle and the data set. Must not know the
command line.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..bundle_report.write import PAGE, write_bundle_report
from ..bundles.bundle import open_content
from ..bundles.content import BundleContent
from ..data.dataset import Dataset
from ..data.fingerprint import data_fingerprint, split_fingerprint
from ..data.options import DataOptions
from ..data.read import read_dataset
from ..errors import InputError
from ..networks.registry import families
from ..support.lightning_runs import require_lightning
from ..support.progress import Progress
from .after_search import MOST_REPORT, averaged_models, ending_seconds, seconds_after
from .alarm import OutOfTime, end_after
from .allocation import FOLDS, MOST_FOLDED, Allocation, allocate
from .budget import Deadline, write_duration
from .contents import Origin
from .finish import finish
from .folds import learn_most, make_folds
from .loop import Search
from .model import TrainingRecipe, trial_seed
from .opening import check_fit_folder, open_search
from .prepared import PreparedData, Rows
from .settings import FitSettings
from .shelf import Shelf
from .space import FamilySpace, narrow_spaces
from .study import SharedStudy
from .timing import Timing, time_training
from .trial import Setup
from .workers import Workers

# Of the memory that is allowed, samples may take this part: preparing them takes as much again.
_SAMPLES_SHARE = 0.25
# Timing the first steps may take this part of a budget, or the least time if that is more.
_TIMING_SHARE, _TIMING_SECONDS = 0.3, 30.0
_TEACHING_SHARE = 0.2  # of a budget, that the first teacher may take
# Below this many seconds the report is left out; of what is left it is told a part, since its last
# figure may take longer than it thinks.
_LEAST_REPORT, _REPORT_HASTE = 1.0, 0.8
_TOO_SMALL = 1.2  # how much more time is named than is needed at least

OnData = Callable[[Dataset], object]


@dataclass(frozen=True)
class FitRequest:
    """What a fit is asked for.

    Attributes:
        source: The data, as `read_dataset` takes it.
        options: How it is to be read.
        settings: All else.
        deadline: When everything must be over.
    """

    source: Any
    options: DataOptions
    settings: FitSettings
    deadline: Deadline


@dataclass(frozen=True)
class Fitted:
    """What a fit gave.

    Attributes:
        content: What the bundle holds.
        dataset: The data set.
        report: The page of the report; None where there was no time for it.
    """

    content: BundleContent
    dataset: Dataset
    report: Path | None


def run_fit(request: FitRequest, progress: Progress, on_data: OnData) -> Fitted:
    """Read a data set, search, and write the bundle.

    Args:
        request: What is asked for.
        progress: Shows what is done.
        on_data: Is told of the data set before the search.

    Raises:
        RelpropError: The data cannot be read, the folder is not one for this search, the budget is
            too small for one training, or no trial gave a model.
    """
    check_fit_folder(request.settings.out)
    require_lightning("fit", "training of networks")
    with Workers(request.source, request.options, request.settings, request.deadline) as workers:
        dataset = read(request)
        on_data(dataset)
        search = prepare_search(request, dataset, progress, lambda: True)
        progress.log(f"plan: {search.allocation.describe()}")
        search.run()
        workers.wait(search)
        search.go_on()
    content = finish(search)
    return Fitted(content, dataset, report_in_time(content, dataset, request))


def report_in_time(content: BundleContent, dataset: Dataset, request: FitRequest) -> Path | None:
    """Write the report in the time that is left; return None if that is too short."""
    path = request.settings.out / PAGE
    left = request.deadline.before(ending_seconds(request.settings.seconds)).left()
    if left < _LEAST_REPORT:
        return None
    try:
        with end_after(left):
            bundle = open_content(content)
            seconds = min(_REPORT_HASTE * left, MOST_REPORT)
            write_bundle_report(bundle, dataset, path, seconds=seconds)
    except OutOfTime:
        return None
    return path


def run_worker(request: FitRequest, progress: Progress, goes_on: Callable[[], bool]) -> None:
    """Search beside another process, which finishes."""
    search = prepare_search(request, read(request), progress, goes_on)
    search.run()


def read(request: FitRequest) -> Dataset:
    """Read the data set of a request."""
    options, memory = request.options, request.settings.memory
    if memory is not None and options.memory is None:
        options = replace(options, memory=int(_SAMPLES_SHARE * memory))
    return read_dataset(request.source, options)


def prepare_search(
    request: FitRequest, dataset: Dataset, progress: Progress, goes_on: Callable[[], bool]
) -> Search:
    """Time the first steps of a training, and divide the time of the search."""
    settings = request.settings
    train, validation = dataset.rows("train"), dataset.rows("validation")
    both = dataset.rows("train", "validation")
    may_mix = not (request.options.group or request.options.time)
    fold = may_mix and len(both) <= MOST_FOLDED
    kept = 2 * (FOLDS + 1) if fold else 2  # what two families use by turns
    data = PreparedData(dataset, settings.encoder, kept, settings.seed)
    spaces = find_spaces(data, both if fold else train, settings.space)
    timing = _time(request, data, spaces[0], both if fold else train)
    averaged = averaged_models(settings.seconds, timing, len(dataset.rows("test")))
    allocation, deadline = _allocate(request, dataset, timing, averaged, fold)
    if allocation.kind in ("slices", "single"):  # of which few are averaged: more time to train
        averaged = min(averaged, allocation.long)
        allocation, deadline = _allocate(request, dataset, timing, averaged, fold)
    if allocation.kind == "single" and may_mix:
        train, validation = learn_most(dataset, train, validation, settings.seed)
    compared = both if fold else validation
    folder = open_search(settings.out, _identity(dataset, spaces, settings))
    return Search(
        Setup(
            data,
            {space.family.name: space.family for space in spaces},
            train,
            validation,
            make_folds(dataset, both, FOLDS, settings.seed) if fold else (),
            may_mix,
            settings.seed,
            settings.device,
            settings.memory,
        ),
        SharedStudy(folder, spaces, settings.seed),
        Shelf(folder / "trials", len(compared)),
        Origin(
            dataset,
            {"data": data_fingerprint(dataset), "split": split_fingerprint(dataset)},
            _said(request.options),
            settings.seed,
            settings.seconds,
        ),
        allocation,
        deadline,
        request.deadline,
        settings.out,
        settings.trials,
        averaged,
        goes_on,
        progress,
    )


def find_spaces(
    data: PreparedData, rows: Rows, wanted: Mapping[str, Any]
) -> tuple[FamilySpace, ...]:
    """Return the spaces of the data's families, as the user narrowed them.

    Settings decide how samples are prepared, and families their settings by prepared samples: the
    first defaults are those for samples about as large.
    """
    known = families(data.dataset.modality, data.encoder)
    rough = narrow_spaces(known, data.rough_facts(len(rows)), wanted)
    preparation = data.preparation(rows, rough[0].default)
    return narrow_spaces(known, data.facts(preparation, len(rows)), wanted)


def _time(request: FitRequest, data: PreparedData, space: FamilySpace, rows: Rows) -> Timing:
    """Time the first steps, for not too long."""
    recipe = TrainingRecipe(
        space.family,
        space.default,
        trial_seed(request.settings.seed, 0),
        request.settings.device,
    )
    allowed = max(_TIMING_SHARE * request.settings.seconds, _TIMING_SECONDS)
    try:
        with end_after(allowed):
            return time_training(data, recipe, rows, _TEACHING_SHARE * request.settings.seconds)
    except OutOfTime:
        raise InputError(
            f"a budget of {write_duration(request.settings.seconds)} for {data.dataset.source}, "
            f"of which the first steps of a training were not over after {allowed:.0f} s",
            "a budget for one training at least",
            f"write --budget {write_duration(20 * allowed)}, or name a smaller family in [space]",
        ) from None


def _allocate(
    request: FitRequest, dataset: Dataset, timing: Timing, averaged: int, fold: bool
) -> tuple[Allocation, Deadline]:
    """Divide the time that is left for the search, with so many models in the end."""
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
    budget = request.settings.seconds
    begun = request.deadline.spent()
    needed = _TOO_SMALL * (begun + timing.least + later)
    raise InputError(
        f"a budget of {write_duration(budget)}, which is too small for one training",
        f"about {write_duration(needed)} at least: {begun:.0f} s to start and read, "
        f"{timing.least:.0f} s for the shortest training, {later:.0f} s to test and write",
        f"write --budget {write_duration(needed)}, or more for a better model",
    )


def _identity(
    dataset: Dataset, spaces: tuple[FamilySpace, ...], settings: FitSettings
) -> dict[str, object]:
    """Return what must be the same for a search to go on."""
    described = {
        space.family.name: {name: repr(one) for name, one in space.space.items()}
        for space in spaces
    }
    return {
        "data": data_fingerprint(dataset),
        "split": split_fingerprint(dataset),
        "space": described,
        "encoder": settings.encoder,
        "seed": settings.seed,
    }


def _said(options: DataOptions) -> dict[str, Any]:
    """Return what the user said of the data, as plain values."""
    default = DataOptions()
    said = {one.name: getattr(options, one.name) for one in fields(options)}
    known = {name: _plain(getattr(default, name)) for name in said}
    return {name: plain for name, value in said.items() if (plain := _plain(value)) != known[name]}


def _plain(value: object) -> object:
    """Return a value as JSON has it: of names a list, of a path or of data its text."""
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, (bool, int, float, str, list, dict)) else str(value)
