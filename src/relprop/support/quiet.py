"""Silences warnings and log messages of the current thread, and of no other.

Takes the texts of warnings and the names of loggers. Python's own means (`catch_warnings`,
`Logger.setLevel`, `redirect_stderr`) act on the whole process: other threads would lose messages.
"""

import logging
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


class _Silenced(threading.local):
    warnings: tuple[re.Pattern[str], ...] = ()
    loggers: frozenset[str] = frozenset()


_SILENCED = _Silenced()


class _TextOfThisThread:
    """Takes the place of a regular expression in a filter of Python's warnings.

    Attributes:
        pattern: Matches nothing. scikit-learn makes the filters again for its jobs, from the text
            of their expressions; what this thread silences is not their business.
    """

    pattern = "(?!)"

    def match(self, text: str) -> bool:
        return any(pattern.match(text) for pattern in _SILENCED.warnings)


class _LogOfThisThread(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Pass debug messages, which somebody asked for, and all of other threads."""
        is_report = logging.WARNING <= record.levelno < logging.CRITICAL
        return not (is_report and record.name in _SILENCED.loggers)


# Both are installed once and stay. Outside `silenced` they let everything pass. To remove them
# again would not be safe: other threads may be going through, or saving, the same lists.
_WARNING_FILTER: Any = ("ignore", _TextOfThisThread(), Warning, None, 0)
_LOG_FILTER = _LogOfThisThread()


@contextmanager
def silenced(warning_texts: Sequence[str] = (), loggers: Sequence[str] = ()) -> Iterator[None]:
    """Silence messages in this thread while the block runs.

    Args:
        warning_texts: Regular expressions; a warning is ignored if one matches its beginning.
        loggers: Names of loggers whose warnings and errors are dropped; those of loggers below
            them are not.

    Example:
        >>> with silenced(["old name"]):
        ...     warnings.warn("old name, use the new one")
    """
    filters: Any = warnings.filters
    if not filters or filters[0] is not _WARNING_FILTER:  # the first filter that matches decides
        filters.insert(0, _WARNING_FILTER)
    for name in loggers:
        logging.getLogger(name).addFilter(_LOG_FILTER)  # does nothing if it is there already
    before = _SILENCED.warnings, _SILENCED.loggers
    _SILENCED.warnings += tuple(re.compile(text, re.IGNORECASE) for text in warning_texts)
    _SILENCED.loggers |= set(loggers)
    try:
        yield
    finally:
        _SILENCED.warnings, _SILENCED.loggers = before
