"""Measures the peak memory of a computation, tensor by tensor."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..support.torch_private import dispatch_mode, storage_key, tree_leaves

_DispatchMode = dispatch_mode()


class _Counter(_DispatchMode):  # type: ignore[misc, valid-type]
    """Counts the bytes of storages from when an operation returns them to when they are freed."""

    def __init__(self) -> None:
        super().__init__()
        self.live = 0
        self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        before = {storage_key(leaf.untyped_storage()) for leaf in _tensors((args, kwargs))}
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            # Fake and meta tensors, by which torch captures and compiles, have no memory.
            if storage_key(storage) not in before and storage.device.type != "meta":
                self._add(storage)
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        key, size = storage_key(storage), storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


def _tensors(value: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def peak_bytes(run: Callable[[], object]) -> int:
    """Run a function, and return the most bytes of tensors that it allocated and held at one time.

    Does not count its arguments, nor what an operation allocates within itself.
    """
    counter = _Counter()
    with counter:
        result = run()
    del result
    return counter.peak
