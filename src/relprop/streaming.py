"""A data set, explained batch by batch: the next batch is loaded while one is explained."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

T = TypeVar("T")


def ahead(batches: Iterable[T], prepare: Callable[[T], Any]) -> Iterator[Any]:
    """Each batch, prepared; the next one is fetched and prepared in the meantime."""
    iterator, end = iter(batches), object()

    def fetch() -> Any:
        batch = next(iterator, end)
        return end if batch is end else prepare(batch)  # type: ignore[arg-type]

    with ThreadPoolExecutor(1, thread_name_prefix="relprop-loading") as worker:
        waiting = worker.submit(fetch)
        while (batch := waiting.result()) is not end:
            waiting = worker.submit(fetch)
            yield batch


def on_device(batch: Any, device: torch.device) -> Any:
    """The same with every tensor on the device."""

    def moved(value: Any) -> Any:
        return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value

    return tree_map(moved, batch)
