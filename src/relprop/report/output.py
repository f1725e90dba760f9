"""The folder of a report: the page, an image of each sample, and all numbers.

Takes a Report. Gives files by name; the folder is replaced as a whole.
"""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np

from ..explanation.drawing import SMALLEST
from ..plot.colours import png
from ..support.folders import check_folder, has_schema, replace_folder
from .page import overlay_of, render_report
from .records import SCHEMA, ExplainedSample, Report, samples_csv, to_json

PAGE, NUMBERS, ROWS, MAPS = "report.html", "report.json", "samples.csv", "relevance.npz"
IMAGES = "images"


def check_report_folder(out: Path) -> None:
    """Raise FileError unless `out` is new, empty, or holds only an earlier report."""
    check_folder(out, _is_report, "report")


def write_report(report: Report, out: Path) -> None:
    """Write a report, completely or not at all."""
    check_report_folder(out)
    replace_folder(out, report_files(report, out))


def report_files(report: Report, out: Path) -> Mapping[str, bytes]:
    """Make the files of a report by name."""
    files = {
        PAGE: render_report(report, out).encode(errors="replace"),  # file names may be no UTF-8
        NUMBERS: to_json(report).encode(),
        ROWS: samples_csv(report).encode(errors="replace"),
        MAPS: _maps(report),
    }
    if report.kind == "picture":
        for i, sample in enumerate(report.samples):
            files[f"{IMAGES}/{i:05d}-{_stem(sample)}.png"] = _overlay(sample)
    return files


def _maps(report: Report) -> bytes:
    """Write names and relevance; of texts, whose lengths differ, padded by NaN."""
    maps = [sample.view.relevance.numpy() for sample in report.samples]
    longest = max(len(one) for one in maps)
    if report.kind == "text":
        maps = [np.pad(one, (0, longest - len(one)), constant_values=np.nan) for one in maps]
    buffer = BytesIO()
    names = np.array([sample.name for sample in report.samples])
    np.savez_compressed(buffer, names=names, relevance=np.stack(maps))
    return buffer.getvalue()


def _overlay(sample: ExplainedSample) -> bytes:
    colours = overlay_of(sample)
    return png(colours, max(1, -(-SMALLEST // colours.shape[1])))


def _stem(sample: ExplainedSample) -> str:
    return Path(sample.name).stem[:60]


def _is_report(folder: Path) -> bool:
    """Tell whether a folder holds a report and nothing else."""
    allowed = {PAGE, NUMBERS, ROWS, MAPS, IMAGES}
    if not {path.name for path in folder.iterdir()} <= allowed:
        return False
    images = folder / IMAGES
    if images.exists() and any(path.suffix != ".png" for path in images.iterdir()):
        return False
    return has_schema(folder / NUMBERS, SCHEMA)
