"""A limit of the memory that a trial may take, and what running out of it looks like.

Takes bytes. Must not know what the memory is used for.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from ..errors import InputError

_STATUS = Path("/proc/self/status")
_LEAST = 2**26  # bytes that every trial gets: interpreter and libraries need some at any time
_TEXTS = ("can't allocate memory", "not enough memory", "Cannot allocate memory", "std::bad_alloc")


def check_memory_limit() -> None:
    """Raise InputError where the system cannot limit the memory of a program."""
    if sys.platform != "linux":
        given = f"a limit of memory on {sys.platform}"
        raise InputError(given, "one on Linux, whose kernel can hold to it", "leave it out")


def resident_memory() -> int:
    """Return the bytes of memory that this process holds, on Linux."""
    return _status("VmRSS")


@contextmanager
def limit_memory(limit: int | None) -> Iterator[None]:
    """Let allocations inside the block fail once the process would hold more than `limit` bytes.

    The system counts what a process has asked for, more than what it holds: the limit is set to
    what has been asked for already, and what is free below `limit`. None is no limit.

    Raises:
        InputError: The system has no such limit.
    """
    if limit is None:
        yield
        return
    check_memory_limit()
    import resource

    gc.collect()  # networks that are in use no more, but in cycles, are not to count
    old = resource.getrlimit(resource.RLIMIT_DATA)
    free = max(limit - resident_memory(), _LEAST)
    asked = _status("VmData") + free
    resource.setrlimit(resource.RLIMIT_DATA, (asked if old[1] < 0 else min(asked, old[1]), old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, old)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory could not be had, on the CPU or on a GPU."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _TEXTS)


def _status(field: str) -> int:
    """Read a field of /proc/self/status, in bytes."""
    lines = _STATUS.read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))
