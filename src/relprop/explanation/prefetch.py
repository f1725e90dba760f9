"""A data set, explained batch by batch: the next batch is loaded while one is explained."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only

T = TypeVar("T")


def ahead(batches: Iterable[T], prepare: Callable[[T], Any], device: torch.device) -> Iterator[Any]:
    """Each batch, prepared and on the device; the next one is made so in the meantime."""
    iterator, end = iter(batches), object()
    # in the stream of what is computed, copies would wait for it
    stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def fetch() -> Any:
        batch = next(iterator, end)
        return end if batch is end else _copied(prepare(batch), device, stream)  # type: ignore[arg-type]

    with ThreadPoolExecutor(1, thread_name_prefix="relprop-loading") as worker:
        waiting = worker.submit(fetch)
        while (batch := waiting.result()) is not end:
            waiting = worker.submit(fetch)
            if stream is not None:
                _used_here(batch, device)
            yield batch


def _copied(batch: Any, device: torch.device, stream: torch.cuda.Stream | None) -> Any:
    """The same with every tensor on the device, when all have arrived there."""
    if stream is None:
        return tree_map_only(Tensor, lambda t: t.to(device), batch)
    stream.wait_stream(torch.cuda.current_stream(device))  # `prepare` may have computed there
    with torch.cuda.stream(stream):
        found = tree_map_only(Tensor, lambda t: t.to(device, non_blocking=True), batch)
    stream.synchronize()
    return found


def _used_here(batch: Any, device: torch.device) -> None:
    """Tell torch that tensors of another stream are used in this one as well."""
    for tensor in tree_leaves(batch):
        if isinstance(tensor, Tensor) and tensor.device == device:
            tensor.record_stream(torch.cuda.current_stream(device))
