"""Counters of what a call costs."""

from collections.abc import Callable

from torch.utils.flop_counter import FlopCounterMode


def flops(run: Callable[[], object]) -> int:
    """Count the floating point operations of run()."""
    counter = FlopCounterMode(display=False)
    with counter:
        run()
    return counter.get_total_flops()
