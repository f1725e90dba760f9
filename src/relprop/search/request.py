"""What a fit is asked for, and how much memory its samples may take.

Takes options and settings. Gives a frozen record. Must not know the search.
"""

from dataclasses import dataclass, replace
from typing import Any

from ..data.memory import free_memory
from ..data.options import DataOptions
from .budget import Deadline
from .opening import memory_of_search
from .settings import FitSettings

# Of the memory that is allowed, samples may take this part: preparing them takes as much again.
_SAMPLES_SHARE = 0.25


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


def with_memory(request: FitRequest) -> FitRequest:
    """Say how much memory samples may take, once: what is free may be more the next moment.

    Another process, a run that goes on, and a report read the same samples then.
    """
    options, settings = request.options, request.settings
    if options.memory is not None:
        return request
    if settings.memory is not None:
        most = int(_SAMPLES_SHARE * settings.memory)
    else:
        most = memory_of_search(settings.out) or free_memory()
    return replace(request, options=replace(options, memory=most))
