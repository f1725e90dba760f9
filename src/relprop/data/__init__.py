"""Real digits: from a folder, the cache, a download, or an installed package."""

from .digits import Digits, find_digits, first_digits, load_digits, packaged_digits

__all__ = ["Digits", "find_digits", "first_digits", "load_digits", "packaged_digits"]
