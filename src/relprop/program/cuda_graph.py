"""CUDA graphs of a function: one launch instead of hundreds.

Small networks spend their time on launching kernels that take a few microseconds each. Takes any
function of CUDA tensors. Must not know what it computes.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

MOST_GRAPHS = 8  # of a function: each holds the memory that it computes with

Function = Callable[..., Sequence[Tensor]]


class CudaGraphs:
    """Runs a function, and replays it as a CUDA graph for shapes that come a second time.

    Threads may share it.

    Args:
        function: Takes tensors of one CUDA device.
        copied: How many of its first arguments are copied into static buffers at each call. The
            others are captured by address: changes of their numbers are followed, and if one has
            another address, all graphs are dropped.
    """

    def __init__(self, function: Function, copied: int) -> None:
        self._function = function
        self._copied = copied
        self._seen: set[Any] = set()
        self._graphs: dict[Any, _Graph] = {}  # the one used last is at the end
        self._captured_for: Any = None
        self._lock = threading.Lock()

    def __call__(self, *tensors: Tensor) -> Sequence[Tensor]:
        """Run the function."""
        shapes = tuple((t.shape, t.dtype) for t in tensors[: self._copied])
        addresses = (_kernel_settings(), *map(_address, tensors[self._copied :]))
        with self._lock, torch.cuda.device(tensors[0].device):
            if addresses != self._captured_for:
                self._drop(len(self._graphs))
                self._captured_for, self._seen = addresses, set()
            if shapes not in self._seen:
                self._seen.add(shapes)
                return self._function(*tensors)
            graph = self._graphs.pop(shapes, None)
            if graph is None:
                self._drop(len(self._graphs) + 1 - MOST_GRAPHS)
                graph = _Graph(self._function, tensors, self._copied)
            self._graphs[shapes] = graph
            return graph(tensors)

    def _drop(self, count: int) -> None:
        """Drop the graphs that were not used for longest."""
        for shapes in list(self._graphs)[: max(0, count)]:
            self._graphs.pop(shapes).wait()


class _Graph:
    """One CUDA graph; https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs."""

    def __init__(self, function: Function, tensors: Sequence[Tensor], copied: int) -> None:
        self._buffers = [t.clone() for t in tensors[:copied]]
        self._others = tensors[copied:]  # held, so that their addresses stay theirs
        current, side = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(current)
        with torch.cuda.stream(side):  # libraries must not set themselves up during the capture
            function(*self._buffers, *self._others)
        current.wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        # A data loader may copy to the device in another thread meanwhile.
        with torch.cuda.graph(self._graph, stream=side, capture_error_mode="thread_local"):
            self._results = function(*self._buffers, *self._others)
        self._done = current.record_event()

    def __call__(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        current = torch.cuda.current_stream()
        current.wait_event(self._done)  # another thread's stream may still copy the results
        for buffer, tensor in zip(self._buffers, tensors, strict=False):
            buffer.copy_(tensor)
        self._graph.replay()
        results = [result.clone() for result in self._results]
        self._done = current.record_event()
        return results

    def wait(self) -> None:
        """Wait until no stream uses the graph's memory any more."""
        self._done.synchronize()


def _address(tensor: Tensor) -> Any:
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, tensor.device


def _kernel_settings() -> Any:
    """List the settings of torch by which it chooses kernels."""
    cuda, cudnn = torch.backends.cuda, torch.backends.cudnn
    return (
        cuda.matmul.fp32_precision,
        cuda.matmul.allow_fp16_reduced_precision_reduction,
        cuda.matmul.allow_bf16_reduced_precision_reduction,
        cuda.flash_sdp_enabled(),  # type: ignore[no-untyped-call]
        cuda.mem_efficient_sdp_enabled(),  # type: ignore[no-untyped-call]
        cuda.math_sdp_enabled(),  # type: ignore[no-untyped-call]
        *(cudnn.enabled, cudnn.deterministic, cudnn.benchmark),
        cudnn.conv.fp32_precision,  # type: ignore[attr-defined]
        cudnn.rnn.fp32_precision,  # type: ignore[attr-defined]
        torch.are_deterministic_algorithms_enabled(),
    )
