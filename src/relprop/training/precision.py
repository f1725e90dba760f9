"""The number format in which a network runs while it is trained: measured, not assumed.

Takes inputs and a device. Gives scores in float32. Must not know the network that is trained: two
trainings with one seed have one format, and so one result, on one machine.
"""

import time
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST_GAIN = 1.2  # of speed; below it the more exact format is taken
REPETITIONS = 5


@dataclass(frozen=True)
class NumberFormat:
    """How a network computes.

    Attributes:
        device: "cpu" or "cuda".
        bf16: Whether matrices are multiplied in bfloat16.
        layout: Order of the values of a batch and of kernels in memory.
    """

    device: str
    bf16: bool
    layout: torch.memory_format

    def scores(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """Return what a network gives for inputs, in float32."""
        inputs = inputs.contiguous(memory_format=self.layout)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            scores: Tensor = network(inputs)
        return scores.float()


def fast_format(inputs: Tensor, device: str) -> NumberFormat:
    """Return the format that is fastest for samples such as these on this machine.

    Pictures, with four dimensions, series, with three, and token ids are computed in bfloat16 where
    this is clearly faster, and pictures have their channels last in memory; rows of tables are
    computed in float32.

    Args:
        inputs: Prepared samples, (n, ...).
        device: "cpu" or "cuda".
    """
    if inputs.ndim == 2 and inputs.is_floating_point():
        return NumberFormat(device, False, torch.contiguous_format)
    bf16 = bf16_is_faster(device, torch.get_num_threads())
    layout = torch.channels_last if inputs.ndim == 4 else torch.contiguous_format
    return NumberFormat(device, bf16, layout)


@cache
def bf16_is_faster(device: str, threads: int) -> bool:
    """Tell whether a convolution in bfloat16 takes clearly less time than one in float32.

    Args:
        device: Where it runs, "cpu" or "cuda".
        threads: Number of threads of torch; what was measured with others is not reused.
    """
    if device != "cpu":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    gain = seconds_of_convolution(torch.float32) / seconds_of_convolution(torch.bfloat16)
    return gain > LEAST_GAIN


def seconds_of_convolution(dtype: torch.dtype) -> float:
    """Return the shortest time of some, on the CPU, of a convolution and its gradients."""
    inputs, weights = (
        torch.zeros(shape, dtype=dtype)
        .contiguous(memory_format=torch.channels_last)
        .requires_grad_()
        for shape in ((64, 64, 16, 16), (64, 64, 3, 3))
    )
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        result = F.conv2d(inputs, weights, padding=1)
        torch.autograd.grad(result, (inputs, weights), torch.ones_like(result))
        times.append(time.perf_counter() - start)
    return min(times)
