"""Prefetches batches: the next one is loaded and moved while the caller works on one."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only

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
        return tree_map_only(Tensor, lambda t: t.to(device), batch)
    stream.wait_stream(torch.cuda.current_stream(device))  # `prepare` may have computed there
    with torch.cuda.stream(stream):
        copied = tree_map_only(Tensor, lambda t: t.to(device, non_blocking=True), batch)
    stream.synchronize()
    return copied


def _record_stream(batch: Any, device: torch.device) -> None:
    """Tell torch that tensors made in another stream are used in this one, too."""
    for tensor in tree_leaves(batch):
        if isinstance(tensor, Tensor) and tensor.device == device:
            tensor.record_stream(torch.cuda.current_stream(device))
