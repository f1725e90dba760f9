"""Counters of what a call costs."""

from collections.abc import Callable

from torch.utils.flop_counter import FlopCounterMode


def flops(run: Callable[[], object]) -> int:
    """Count the floating point operations of run(), once what it needs is captured."""
    counter = FlopCounterMode(display=False)
    with counter:
        run()  # the counter's hooks change the model: a first call captures it again
        before = counter.get_total_flops()
        run()
    return int(counter.get_total_flops() - before)
