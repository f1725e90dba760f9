"""Optional dependencies: an import that fails names the pip line that mends it."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import MissingExtraError


@contextmanager
def needs(extra: str, purpose: str) -> Iterator[None]:
    """Around imports: a missing package becomes a MissingExtraError that names the extra."""
    try:
        yield
    except ImportError as error:
        package = (error.name or "a package").split(".")[0]
        raise MissingExtraError(
            f"{purpose}: {package} is not installed",
            f'the packages of the "{extra}" extra',
            f'pip install "relprop[{extra}]"',
        ) from error
