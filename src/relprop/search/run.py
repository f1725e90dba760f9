"""From a data set to a bundle, within the budget: reads, times, searches, finishes.

Takes what the user asked for. Gives the content of the bundle and the data set. Must not know the
command line.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..bundle_report.write import PAGE, write_bundle_report
from ..bundles.bundle import open_content
from ..bundles.content import BundleContent
from ..bundles.read import is_bundle, read_bundle
from ..data.dataset import Dataset
from ..data.fingerprint import data_fingerprint, order_fingerprint, split_fingerprint
from ..data.options import DataOptions
from ..data.read import read_dataset
from ..networks.registry import families
from ..support.lightning_runs import require_lightning
from ..support.progress import Progress
from .after_search import MOST_REPORT, averaged_models, ending_seconds
from .alarm import OutOfTime, end_after
from .allocation import FOLDS, MOST_FOLDED
from .contents import Origin
from .finish import finish
from .first_steps import allocate_time, time_first_steps
from .folds import learn_most, make_folds
from .loop import Search
from .opening import check_fit_folder, open_search
from .prepared import PreparedData, Rows
from .request import FitRequest, with_memory
from .settings import FitSettings
from .shelf import Shelf
from .space import FamilySpace, narrow_spaces
from .study import SharedStudy
from .trial import Setup
from .workers import Workers

# Below this many seconds the report is left out; of what is left it is told a part, since its last
# figure may take longer than it thinks.
_LEAST_REPORT, _REPORT_HASTE = 1.0, 0.8

OnData = Callable[[Dataset], object]


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
    request = with_memory(request)
    with Workers(request.source, request.options, request.settings, request.deadline) as workers:
        dataset = read_dataset(request.source, request.options)
        on_data(dataset)
        require_lightning("fit", "training of networks")  # slow: the data's faults come first
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
    path.unlink(missing_ok=True)  # that of an earlier run shows another model
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
    dataset = read_dataset(request.source, request.options)
    search = prepare_search(request, dataset, progress, goes_on)
    search.run()


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
    timing = time_first_steps(request, data, spaces[0], both if fold else train)
    averaged = averaged_models(settings.seconds, timing, len(dataset.rows("test")))
    allocation, deadline = allocate_time(request, dataset, timing, averaged, fold)
    if allocation.kind in ("slices", "single"):  # of which few are averaged: more time to train
        averaged = min(averaged, allocation.long)
        allocation, deadline = allocate_time(request, dataset, timing, averaged, fold)
    if allocation.kind == "single" and may_mix:
        train, validation = learn_most(dataset, train, validation, settings.seed)
    compared = both if fold else validation
    fingerprints = _fingerprints(dataset)  # each hashes all samples
    identity = _identity(fingerprints, spaces, settings)
    folder = open_search(settings.out, identity, request.options.memory or 0)
    study = SharedStudy(folder, spaces, settings.seed)
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
        study,
        Shelf(folder / "trials", len(compared)),
        Origin(
            dataset,
            fingerprints,
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
        _finished(settings.out) if study.rows() else None,
    )


def _finished(out: Path) -> BundleContent | None:
    """Return what an earlier run of a search ended with; None if it did not end."""
    content = read_bundle(out) if is_bundle(out) else None
    return content if content is not None and content.metrics else None


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


def _identity(
    fingerprints: Mapping[str, str], spaces: tuple[FamilySpace, ...], settings: FitSettings
) -> dict[str, object]:
    """Return what must be the same for a search to go on."""
    described = {
        space.family.name: {name: repr(one) for name, one in space.space.items()}
        for space in spaces
    }
    return {
        **fingerprints,
        "space": described,
        "encoder": settings.encoder,
        "seed": settings.seed,
    }


def _fingerprints(dataset: Dataset) -> dict[str, str]:
    return {
        "data": data_fingerprint(dataset),
        "split": split_fingerprint(dataset),
        "order": order_fingerprint(dataset),
    }


def _said(options: DataOptions) -> dict[str, Any]:
    """Return how the data was read, beyond the defaults, as plain values."""
    default = DataOptions()
    said = {one.name: getattr(options, one.name) for one in fields(options)}
    known = {name: _plain(getattr(default, name)) for name in said}
    return {name: plain for name, value in said.items() if (plain := _plain(value)) != known[name]}


def _plain(value: object) -> object:
    """Return a value as JSON has it: of names a list, of a path or of data its text."""
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, (bool, int, float, str, list, dict)) else str(value)
