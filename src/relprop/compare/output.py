"""What a comparison leaves in its folder: numbers as JSON and CSV, and the figure of the curves.

Beside settings.json and blocks/ there are results.json, results.csv and curves.png.
"""

from importlib import import_module
from pathlib import Path

from ..demo.plot import to_bytes
from ..support.extras import needs
from ..support.files import write_file
from ..support.progress import QUIET, Progress
from .figure import curves_figure
from .lines import to_csv
from .results import Comparison, to_json
from .running import compare
from .settings import Settings

EXTRAS = ("matplotlib", "scipy")


def compare_into(settings: Settings, out: Path, progress: Progress = QUIET) -> Comparison:
    """Run what is not done yet, and write what all of it says."""
    with needs("demo", "relprop compare"):  # before the work, not after it
        for package in EXTRAS:
            import_module(package)
    found = compare(settings, out, progress)
    write_file(out / "results.json", to_json(found).encode())
    write_file(out / "results.csv", to_csv(found).encode())
    write_file(out / "curves.png", to_bytes(curves_figure(found), "png"))
    return found
