"""The files of a comparison: numbers as JSON and CSV, and the figure of the curves.

Takes settings and a folder. Adds results.json, results.csv and curves.png to the folder's
settings.json and blocks/.
"""

from pathlib import Path

from ..support.extras import require
from ..support.figures import figure_bytes
from ..support.files import write_file
from ..support.progress import QUIET, Progress
from .csv_rows import to_csv
from .figure import curves_figure
from .results import Comparison, to_json
from .run import compare
from .settings import Settings

EXTRAS = ("matplotlib", "scipy")


def compare_into(settings: Settings, folder: Path, progress: Progress = QUIET) -> Comparison:
    """Run a comparison or continue a stopped one, and write its results.

    Args:
        settings: What is compared.
        folder: Folder of the comparison.
        progress: Shows the stages.

    Raises:
        MissingExtraError: A package is missing; raised before the work starts.
        RelpropError: As for `relprop.compare.compare`.
    """
    require("demo", "relprop compare", EXTRAS)
    comparison = compare(settings, folder, progress=progress)
    write_file(folder / "results.json", to_json(comparison).encode())
    write_file(folder / "results.csv", to_csv(comparison).encode())
    write_file(folder / "curves.png", figure_bytes(curves_figure(comparison), "png"))
    return comparison
