"""Writes the report of a bundle: one page that loads nothing from elsewhere, in the time there is.

Takes a bundle and its data. Gives a file.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..bundles.bundle import Bundle, metric_text
from ..bundles.content import PartOutputs
from ..bundles.data_again import read_again
from ..data.dataset import Dataset
from ..data.fingerprint import data_fingerprint, order_fingerprint
from ..errors import InputError
from ..plot.html import environment
from ..plot.pages import page
from ..support.files import write_file
from ..support.progress import QUIET, Progress
from .explanations import Explained, example_section, importance_section, mistake_section
from .layers import layer_section
from .removal import removal_section
from .sections import ReportSection, data_section, quality_sections, search_section
from .time_limit import TimeLimit

_Step = Callable[[], list[ReportSection]]

PAGE = "report.html"
_FIGURES = 3.0  # seconds that figures take at most on a slow machine


def write_bundle_report(
    bundle: Bundle,
    dataset: Dataset | None,
    path: Path,
    *,
    seconds: float | None = None,
    progress: Progress = QUIET,
) -> float:
    """Write the report of a bundle.

    Args:
        bundle: The bundle.
        dataset: The data that it was fitted to, or other data with labels, of which all samples
            are taken; None: nothing is explained.
        path: The file.
        seconds: The time that it may take; None: as much as it takes. Where it is short, fewer
            samples are explained, and the page says so.
        progress: Shows the stages.

    Returns:
        Seconds that it took.

    Raises:
        FileError: The file cannot be written.
        MissingExtraError: A library is not installed.
    """
    start, clock = time.monotonic(), TimeLimit(seconds)
    steps = _steps(bundle, dataset, clock)
    sections = list[ReportSection]()
    with progress.stage("Making the report", len(steps), "parts") as advance:
        for make in steps:
            sections += make()
            advance(1)
    write_file(path, report_page(bundle, sections, clock).encode())
    return time.monotonic() - start


def open_data(
    bundle: Bundle, source: str | None, target: str | None = None, progress: Progress = QUIET
) -> Dataset | None:
    """Read the data that a report shows.

    Args:
        bundle: The bundle.
        source: Data with labels; None: what the bundle was fitted to, if it is still there.
        target: Of other data: column of the label.
        progress: Shows the reading, and says where nothing can be explained.

    Returns:
        The data; None where it is no longer there.

    Raises:
        RelpropError: It cannot be read, or is of another kind.
    """
    if source is None:
        source = bundle.content.source
        if not Path(source).exists():
            progress.log(f"Nothing is explained: {source} is not there; name the data, if it moved")
            return None
    return read_again(bundle.content, source, target, progress)


def _steps(bundle: Bundle, dataset: Dataset | None, clock: TimeLimit) -> list[_Step]:
    """Return what makes the sections, those that cost nothing first; none where time is over."""
    content = bundle.content
    known = [data_section(content), search_section(content)]
    part, outputs = part_of(bundle, dataset)
    if outputs is None:
        return [lambda: known]

    def quality() -> list[ReportSection]:
        return quality_sections(content, part, outputs) if clock.has(_FIGURES) else []

    if dataset is None:
        return [lambda: known, quality]
    what = Explained(bundle, dataset, part, outputs)

    def explained(make: Callable[[Explained, TimeLimit], ReportSection | None]) -> _Step:
        return lambda: [one] if clock.has(_FIGURES) and (one := make(what, clock)) else []

    explaining = (
        *(example_section, mistake_section, importance_section),
        *(layer_section, removal_section),
    )
    return [lambda: known, quality, *map(explained, explaining)]


def part_of(bundle: Bundle, dataset: Dataset | None) -> tuple[str, PartOutputs | None]:
    """Return what the model gave for the part of the data that a report shows.

    It is the test part, or the validation part before the test part was read; of other data than
    the bundle was fitted to, all samples.

    Raises:
        InputError: The data does not fit the bundle, or is its own in another order.
    """
    known = bundle.content.outputs
    if dataset is None or is_own(bundle, dataset):
        part = next((name for name in ("test", "validation") if name in known), "")
        if dataset is not None and part:
            _check_order(bundle, dataset)
        return part, known.get(part)
    rows = np.arange(len(dataset.keys))
    outputs = standardised(bundle, bundle.outputs(bundle.prepare_samples(dataset.samples)))
    return "given", PartOutputs(torch.from_numpy(rows), outputs, true_targets(bundle, dataset))


def is_own(bundle: Bundle, dataset: Dataset) -> bool:
    """Tell whether data is what a bundle was fitted to, in any order."""
    return bundle.content.fingerprints.get("data") == data_fingerprint(dataset)


def _check_order(bundle: Bundle, dataset: Dataset) -> None:
    """Raise InputError where samples are in another order than a bundle was fitted to."""
    if bundle.content.fingerprints.get("order") != order_fingerprint(dataset):
        given = f"{dataset.source}, the data that the bundle was fitted to in another order"
        raise InputError(given, "its order, or other data", "sort its rows as they were")


def standardised(bundle: Bundle, outputs: Tensor) -> Tensor:
    """Return outputs of a bundle's model as `PartOutputs` has them."""
    if bundle.task != "value":
        return outputs.cpu()
    scale = bundle.content.scale
    return (outputs.cpu() - scale.mean) / scale.std


def true_targets(bundle: Bundle, dataset: Dataset) -> Tensor:
    """Return the targets of data by the classes of a bundle, as `PartOutputs` has them.

    Raises:
        InputError: The data is of another task, or has a class that the bundle does not know.
    """
    target, names = dataset.target, bundle.classes
    unknown = [name for name in target.names if name not in names]
    if target.task != bundle.task or (bundle.task != "value" and unknown):
        given = f"{dataset.source}, whose target is {target.task}: {', '.join(target.names[:6])}"
        allowed = f"{bundle.task}: {', '.join(names[:12])}"
        raise InputError(given, allowed, "name the column by --target, or give other data")
    values = torch.from_numpy(target.values)
    if bundle.task == "value":
        return values.double()
    places = [names.index(name) for name in target.names]
    if bundle.task == "classes":
        return torch.tensor(places)[values]
    ordered = values.new_zeros(len(values), len(names))
    ordered[:, places] = values
    return ordered


def report_page(bundle: Bundle, sections: list[ReportSection], clock: TimeLimit) -> str:
    """Render the page."""
    content = bundle.content
    template = environment("relprop.bundle_report").get_template("sections.html")
    body = template.render(
        bundle=bundle,
        metrics=[metric_text(metric) for metric in content.metrics],
        sections=sections,
        short=clock.was_short,
        versions=content.versions,
    )
    return page(f"{Path(content.source).name or 'A bundle'}: a fitted model", body)
