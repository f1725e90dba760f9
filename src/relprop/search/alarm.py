"""An alarm that ends what takes too long, between two operations of Python.

Takes seconds. Must not know what is run. It works in the main thread, on systems with SIGALRM;
elsewhere what is run must look at the clock by itself.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SHORTEST = 1e-3  # seconds of a timer: 0 is none


class OutOfTime(BaseException):
    """The time of a block was over before it ended.

    Like KeyboardInterrupt it is no Exception: what is run does not take it for an error of its own.
    """


class Alarm:
    """Rings once; what it must not end can hold it back.

    Attributes:
        held: Whether it waits.
        rang: Whether it rang while it was held.
    """

    def __init__(self) -> None:
        self.held, self.rang = False, False

    @contextmanager
    def wait(self) -> Iterator[None]:
        """Let the alarm wait until the block is over: files are written whole."""
        self.held = True
        try:
            yield
        finally:
            self.held = False
        if self.rang:
            raise OutOfTime

    def ring(self, number: int, frame: FrameType | None) -> None:
        """Raise OutOfTime, now or when nothing holds it."""
        self.rang = True
        if not self.held:
            raise OutOfTime


@contextmanager
def end_after(seconds: float) -> Iterator[Alarm]:
    """Raise OutOfTime inside the block when it takes longer than `seconds`.

    A timer that the caller had set goes on after the block; it rings then where its time was over.
    """
    alarm = Alarm()
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or not hasattr(signal, "setitimer"):
        yield alarm
        return
    handler = signal.signal(signal.SIGALRM, alarm.ring)
    began = time.monotonic()
    earlier, interval = signal.setitimer(signal.ITIMER_REAL, max(seconds, _SHORTEST))
    try:
        yield alarm
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if earlier:
            left = max(earlier - (time.monotonic() - began), _SHORTEST)
            signal.setitimer(signal.ITIMER_REAL, left, interval)
