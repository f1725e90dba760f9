"""Runs Lightning's trainer as a part of something larger: quietly, seeded, and interruptible.

Gives context managers. Must not know what is trained.
"""

import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..errors import MissingExtraError
from .extras import needs


def require_lightning(extra: str, purpose: str) -> None:
    """Import Lightning before long work starts.

    Args:
        extra: Name of the extra that installs it.
        purpose: What it is needed for, as the error says it.

    Raises:
        MissingExtraError: It is not installed, or cannot be imported.
    """
    with needs(extra, purpose):
        try:
            import lightning  # noqa: F401
        except RuntimeError as error:  # it imports torchvision where there is one
            raise MissingExtraError(
                f"{purpose}: Lightning cannot be imported ({error})",
                f"a torchvision that was built for torch {torch.__version__}, or none",
                "pip uninstall torchvision, or install the one that fits",
            ) from error


@contextmanager
def random_seed(seed: int) -> Iterator[None]:
    """Seed torch inside the block, and restore the caller's random state after it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence Lightning's remarks on hardware, worker processes and its other products."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C leave the block as KeyboardInterrupt, and work again after it.

    Lightning exits the process in its place, and ignores every Ctrl-C from then on.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    finally:
        if in_main_thread:  # elsewhere signals cannot be set, and Lightning has not done it
            signal.signal(signal.SIGINT, handler)
