"""Prefetches batches: the next one is loaded and moved while the caller works on one."""

from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..support.model_input import line_for_loading
from ..support.progress import Progress
from ..support.torch_private import map_tensors, tree_leaves

T = TypeVar("T")


def prefetch(
    batches: Iterable[T], prepare: Callable[[T], Any], device: torch.device
) -> Iterator[Any]:
    """Yield each batch, prepared and on the device; the next is prepared in another thread."""
    iterator, end = iter(batches), object()
    # In the stream that computes, copies would wait for the computation.
    stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def fetch() -> Any:
        batch = next(iterator, end)
        return end if batch is end else _copied(prepare(batch), device, stream)  # type: ignore[arg-type]

    with ThreadPoolExecutor(1, thread_name_prefix="relprop-loading") as worker:
        waiting = worker.submit(fetch)
        while (batch := waiting.result()) is not end:
            waiting = worker.submit(fetch)
            if stream is not None:
                _record_stream(batch, device)
            yield batch


def _copied(batch: Any, device: torch.device, stream: torch.cuda.Stream | None) -> Any:
    """Copy every tensor of a batch to the device, and wait until all have arrived."""
    if stream is None:
        return map_tensors(lambda t: t.to(device), batch)
    stream.wait_stream(torch.cuda.current_stream(device))  # `prepare` may have computed there
    with torch.cuda.stream(stream):
        copied = map_tensors(lambda t: t.to(device, non_blocking=True), batch)
    stream.synchronize()
    return copied


def _record_stream(batch: Any, device: torch.device) -> None:
    """Tell torch that tensors made in another stream are used in this one, too."""
    for tensor in tree_leaves(batch):
        if isinstance(tensor, Tensor) and tensor.device == device:
            tensor.record_stream(torch.cuda.current_stream(device))


def prefetch_pairs(
    batches: Iterable[Any],
    prepare: Callable[[Any], tuple[Any, Any]] | None,
    target: Any,
    model: nn.Module,
    progress: Progress,
) -> Iterator[tuple[Any, Any]]:
    """Yield the input and the target of each batch of a data set, on the model's device.

    Args:
        batches: The data set, batch by batch.
        prepare: Takes a batch and returns (x, target); None: x is the batch, or its first item.
        target: The target of all batches, without `prepare`.
        model: Where tensors are moved: to its device.
        progress: Shows the number of batches done.

    Raises:
        InputError: `batches` is not iterable, `prepare` does not return a pair, or there is a
            target beside it.
    """
    to_pair, device = _loading(batches, prepare, target, model, 64)
    return with_progress(prefetch(batches, to_pair, device), progress, batches, "batches")


def prefetch_samples(
    samples: Iterable[Any],
    prepare: Callable[[Any], tuple[Any, Any]] | None,
    target: Any,
    model: nn.Module,
    count: int,
) -> Iterator[list[tuple[Any, Any]]]:
    """Yield input and target of `count` samples at a time; see `prefetch_pairs`."""
    to_pair, device = _loading(samples, prepare, target, model, 1)
    return prefetch(_windows(samples, count), lambda window: list(map(to_pair, window)), device)


def _windows(samples: Iterable[T], count: int) -> Iterator[list[T]]:
    iterator = iter(samples)
    while window := list(islice(iterator, count)):
        yield window


def _loading(
    batches: Iterable[Any],
    prepare: Callable[[Any], tuple[Any, Any]] | None,
    target: Any,
    model: nn.Module,
    size: int,
) -> tuple[Callable[[Any], Any], torch.device]:
    """Check a data set; return what makes input and target of an item, and the device for them.

    Args:
        batches: The data set.
        prepare: As for `prefetch_pairs`.
        target: As for `prefetch_pairs`.
        model: As for `prefetch_pairs`.
        size: Of the batches that the line to write makes.
    """
    if prepare is not None and target is not None:
        both = f"target {target!r} beside prepare, which returns one with each batch"
        raise InputError(both, "one of them", "return (x, target) from prepare")
    if line := line_for_loading(model, batches, size=size):
        given = f"a data set of type {type(batches).__name__}, which gives samples"
        raise InputError(given, "an iterable that gives batches", f"write {line}")
    if not isinstance(batches, Iterable):
        given = f"batches of type {type(batches).__name__}"
        todo = "write DataLoader(dataset, batch_size=64), or x.split(64) of a tensor"
        raise InputError(given, "an iterable that gives batches", todo)
    if prepare is not None and not callable(prepare):
        given = f"prepare of type {type(prepare).__name__}"
        todo = "write prepare=lambda batch: (batch[0], batch[1])"
        raise InputError(given, "a function from a batch to (x, target)", todo)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    to_pair = partial(_call, prepare) if prepare else lambda batch: (_first_item(batch), target)
    return to_pair, device


def with_progress(
    items: Iterable[T], progress: Progress, given: Iterable[Any], unit: str
) -> Iterator[T]:
    """Yield items, and show how many of those given the caller is done with."""
    count = len(given) if isinstance(given, Sized) else None
    with progress.stage("explain", count, unit) as advance:
        for item in items:
            yield item
            advance(1)


def _call(prepare: Callable[[Any], Any], batch: Any) -> tuple[Any, Any]:
    """Call `prepare`, and refuse what is not a pair."""
    pair = prepare(batch)
    if not isinstance(pair, tuple) or len(pair) != 2:
        given = f"prepare returned a {type(pair).__name__}"
        raise InputError(given, "a tuple (x, target)", "return x, None for what is predicted")
    return pair


def _first_item(batch: Any) -> Any:
    return batch[0] if isinstance(batch, (list, tuple)) else batch
