"""A mapping that keeps the items that were used last.

Takes keys and items. May be used from several threads. Must not know what they are.
"""

import threading
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class RecentItems(Generic[V]):
    """A mapping that keeps the items that were used last. May be used from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: dict[Any, V] = {}  # the one used last is at the end
        self._lock = threading.Lock()

    def get(self, key: Any) -> V | None:
        """Return an item, or None; it is now the one used last."""
        with self._lock:
            item = self._items.pop(key, None)
            if item is not None:
                self._items[key] = item
        return item

    def put(self, key: Any, item: V) -> None:
        """Store an item, and drop the one that was not used for longest if there are too many."""
        with self._lock:
            self._items.pop(key, None)
            self._items[key] = item
            while len(self._items) > self._most:
                del self._items[next(iter(self._items))]

    def drop(self, key: Any) -> None:
        """Drop an item, if it is there."""
        with self._lock:
            self._items.pop(key, None)

    def __reduce__(self) -> tuple[type["RecentItems[V]"], tuple[int]]:
        return RecentItems, (self._most,)  # a copy begins without items

    def __bool__(self) -> bool:
        return bool(self._items)

    def items(self) -> list[tuple[Any, V]]:
        """List all items, the one used last at the end."""
        with self._lock:
            return list(self._items.items())
