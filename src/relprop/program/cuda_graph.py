"""A function on a CUDA device, recorded as a CUDA graph and played back: one launch for hundreds.

Small networks spend their time on launching what takes the device a few microseconds each.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

KEPT = 8  # recordings of a function: each holds on to the memory that it computes with

Function = Callable[..., Sequence[Tensor]]


class Recorded:
    """A function, recorded for the shapes of its tensors when these are met for the second time.

    anew  of the tensors that it is called with, so many are given anew each time; the others stay
          where they are, and changes of their numbers are followed. Where one has another place,
          all is recorded anew
    Threads may share it.
    """

    def __init__(self, function: Function, anew: int) -> None:
        self._function = function
        self._anew = anew
        self._met: set[Any] = set()
        self._recordings: dict[Any, _Recording] = {}  # in the order in which they were last used
        self._places: Any = None
        self._lock = threading.Lock()

    def __call__(self, *tensors: Tensor) -> Sequence[Tensor]:
        """The function of the tensors, all of one CUDA device."""
        shapes = tuple((t.shape, t.dtype) for t in tensors[: self._anew])
        places = (_settings(), *map(_place, tensors[self._anew :]))
        with self._lock, torch.cuda.device(tensors[0].device):
            if places != self._places:
                self._forget(len(self._recordings))
                self._places, self._met = places, set()
            if shapes not in self._met:
                self._met.add(shapes)
                return self._function(*tensors)
            recording = self._recordings.pop(shapes, None)
            if recording is None:
                self._forget(len(self._recordings) + 1 - KEPT)
                recording = _Recording(self._function, tensors, self._anew)
            self._recordings[shapes] = recording
            return recording(tensors)

    def _forget(self, count: int) -> None:
        """So many recordings, those first that were not used for longest."""
        for shapes in list(self._recordings)[: max(0, count)]:
            self._recordings.pop(shapes).wait()


class _Recording:
    """One CUDA graph; https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs."""

    def __init__(self, function: Function, tensors: Sequence[Tensor], anew: int) -> None:
        self._own = [t.clone() for t in tensors[:anew]]
        self._others = tensors[anew:]  # kept, so that their places stay theirs
        present, aside = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(present)
        with torch.cuda.stream(aside):  # what libraries set up at a first call is not recorded
            function(*self._own, *self._others)
        present.wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        # a loader may copy to the device in another thread meanwhile
        with torch.cuda.graph(self._graph, stream=aside, capture_error_mode="thread_local"):
            self._results = function(*self._own, *self._others)
        self._done = present.record_event()

    def __call__(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        present = torch.cuda.current_stream()
        present.wait_event(self._done)  # another thread's stream may still copy the results
        for own, given in zip(self._own, tensors, strict=False):
            own.copy_(given)
        self._graph.replay()
        results = [result.clone() for result in self._results]
        self._done = present.record_event()
        return results

    def wait(self) -> None:
        """Until nothing in any stream uses its memory any more."""
        self._done.synchronize()


def _place(tensor: Tensor) -> Any:
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, tensor.device


def _settings() -> Any:
    """Of torch's settings those that kernels are chosen by."""
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
