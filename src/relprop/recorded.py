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
          where they are, and changes of their numbers are followed
    Threads may share it.
    """

    def __init__(self, function: Function, anew: int) -> None:
        self._function = function
        self._anew = anew
        self._met: dict[Any, _Recording | None] = {}  # in the order in which they were last used
        self._lock = threading.Lock()

    def __call__(self, *tensors: Tensor) -> Sequence[Tensor]:
        """The function of the tensors, all of one CUDA device."""
        key = (_settings(), *(_identity(t, i < self._anew) for i, t in enumerate(tensors)))
        with self._lock, torch.cuda.device(tensors[0].device):
            again = key in self._met
            recording = self._met.pop(key, None)
            if again and recording is None:
                recording = _Recording(self._function, tensors, self._anew)
            self._met[key] = recording
            while len(self._met) > KEPT:
                del self._met[next(iter(self._met))]
            return recording(tensors) if recording else self._function(*tensors)


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


def _identity(tensor: Tensor, anew: bool) -> Any:
    """What must be the same for a recording to fit."""
    place = None if anew else (tensor.data_ptr(), tensor.stride())
    return tensor.shape, tensor.dtype, tensor.device, place


def _settings() -> Any:
    """Of torch, those that choose what is computed with."""
    return (
        torch.backends.cuda.matmul.fp32_precision,
        torch.backends.cudnn.conv.fp32_precision,  # type: ignore[attr-defined]
        torch.backends.cudnn.rnn.fp32_precision,  # type: ignore[attr-defined]
        torch.are_deterministic_algorithms_enabled(),
    )
