"""The time that a fit may take: parsed, counted from the start of the program, divided.

Takes texts and seconds. Gives deadlines on the monotonic clock. Must not know what the time is
spent on.
"""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
_BYTES = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]I?B)", re.IGNORECASE)
_IMPORTED = time.monotonic()


def parse_duration(text: object) -> float:
    """Return the seconds of a duration such as "90s", "10m" or "1h30m".

    Raises:
        InputError: The text is no duration, or it is zero.

    Example:
        >>> parse_duration("1h30m")
        5400.0
    """
    found = _DURATION.fullmatch(text.strip().lower()) if isinstance(text, str) else None
    parts = zip(_SECONDS.values(), found.groups(), strict=True) if found else ()
    seconds = sum(unit * float(number) for unit, number in parts if number)
    if not seconds:
        allowed = "hours, minutes and seconds: 90s, 10m, 1h30m"
        raise InputError(f"a budget of {text!r}", allowed, 'write "10m"')
    return seconds


def parse_memory(text: object) -> int:
    """Return the bytes of an amount of memory such as "2GB" or "800 MiB", or of a number of bytes.

    Raises:
        InputError: The text is no amount of memory, or it is zero.

    Example:
        >>> parse_memory("1.5GB")
        1500000000
    """
    found = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    size = int(float(found[1]) * _BYTES[found[2].upper()]) if found else 0
    if isinstance(text, int) and not isinstance(text, bool):
        size = text
    if size <= 0:
        allowed = "a number with KB, MB, GB, KiB, MiB or GiB"
        raise InputError(f"memory of {text!r}", allowed, 'write "2GB"')
    return size


def write_duration(seconds: float) -> str:
    """Write seconds as `parse_duration` reads them, rounded up to whole seconds.

    Example:
        >>> write_duration(5399.2)
        '1h30m'
    """
    rest = max(1, -int(-seconds // 1))
    text = ""
    for unit, size in _SECONDS.items():
        count, rest = divmod(rest, int(size))
        text += f"{count}{unit}" if count else ""
    return text


@dataclass(frozen=True)
class Deadline:
    """A stretch of time on the monotonic clock.

    Attributes:
        start: When it began, as `time.monotonic` counts.
        seconds: How long it is.
    """

    start: float
    seconds: float

    @classmethod
    def of_call(cls, seconds: float) -> "Deadline":
        """Begin now."""
        return cls(time.monotonic(), seconds)

    @classmethod
    def of_process(cls, seconds: float) -> "Deadline":
        """Begin when this program was started: imports count."""
        return cls(_process_start(), seconds)

    def spent(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.start

    def left(self) -> float:
        """Return the seconds until the end; negative after it."""
        return self.seconds - self.spent()

    def before(self, reserve: float) -> "Deadline":
        """Return the same stretch, ended `reserve` seconds earlier."""
        return Deadline(self.start, self.seconds - reserve)


def _process_start() -> float:
    """Return when this process was started, or first imported this module where /proc is not."""
    try:
        text = Path("/proc/self/stat").read_text()
    except OSError:
        return _IMPORTED
    ticks = int(text.rpartition(")")[2].split()[19])  # field 22: the name before it may have spaces
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - age
