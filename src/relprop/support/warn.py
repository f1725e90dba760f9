"""Warns at the line that called the package, as Python 3.12 does with `skip_file_prefixes`."""

import sys
import warnings
from pathlib import Path

_PACKAGE = str(Path(__file__).parents[1])


def warn(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Warn at the nearest line outside of this package.

    Args:
        message: The text, or a warning.
        category: Its class, if it is a text.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
