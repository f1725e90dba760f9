"""Processes that search beside this one.

Takes what was asked for. Each process reads the data itself and joins the study in the folder. Must
not know what a trial is.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch

from ..data.options import DataOptions
from ..errors import InputError
from .budget import Deadline
from .search import Search
from .settings import FitSettings

_PAUSE = 0.2  # seconds between two looks at what others are doing


class Workers:
    """Starts the other processes of a fit, and ends those that are left.

    Args:
        source: The data, as the user gave it.
        options: How it is read.
        settings: What was asked for.
        deadline: When everything must be over.
    """

    def __init__(
        self, source: Any, options: DataOptions, settings: FitSettings, deadline: Deadline
    ) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._text = ""
        self._count = settings.workers - 1
        if self._count:
            self._text = _write_request(source, options, settings, deadline)
