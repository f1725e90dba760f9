"""From a data set to a bundle, within the budget: reads, times, searches, finishes.

Takes what the user asked for. Gives the content of the bundle and the data set. Must not know the
command line.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..bundles.content import BundleContent
from ..data.dataset import Dataset
from ..data.fingerprint import data_fingerprint, split_fingerprint
from ..data.options import DataOptions
from ..data.read import read_dataset
from ..errors import FileError, InputError
from ..networks.family import Facts
from ..networks.registry import families
from ..support.files import make_folder, try_folder, write_file
from ..support.progress import Progress
from .allocation import FOLDS, MOST_FOLDED, allocate
from .budget import Deadline, reserve, write_duration
from .contents import Origin
from .finish import finish
from .folds import make_folds
from .prepared import PreparedData
from .search import Search
from .settings import FitSettings
from .shelf import Shelf
from .space import FamilySpace, narrow_spaces
from .study import SharedStudy
from .timing import Timing, time_training
from .trial import Setup
