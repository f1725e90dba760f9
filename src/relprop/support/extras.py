"""Optional dependencies: an import that fails becomes an error with the pip line that mends it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from ..errors import MissingExtraError


@contextmanager
def needs(extra: str, purpose: str) -> Iterator[None]:
    """Turn an ImportError inside the block into a MissingExtraError.

    Args:
        extra: Name of the extra that installs the package.
        purpose: What the package is needed for, as the error says it.
    """
    with _missing(purpose, f'the packages of the "{extra}" extra', f'"relprop[{extra}]"'):
        yield


@contextmanager
def needs_library(name: str, purpose: str) -> Iterator[None]:
    """Turn an ImportError inside the block into a MissingExtraError.

    Args:
        name: A library that no extra installs, since only its users need it.
        purpose: What it is needed for, as the error says it.
    """
    with _missing(purpose, f"{name} beside relprop", name):
        yield


@contextmanager
def _missing(purpose: str, allowed: str, install: str) -> Iterator[None]:
    try:
        yield
    except MissingExtraError:  # is an ImportError, and says more precisely what is missing
        raise
    except ImportError as error:
        package = (error.name or "a package").split(".")[0]
        raise MissingExtraError(
            f"{purpose}: {package} is not installed", allowed, f"pip install {install}"
        ) from error


def require(extra: str, purpose: str, packages: Iterable[str]) -> None:
    """Look for packages before long work starts; importing them here would take seconds.

    Args:
        extra: Name of the extra that installs them.
        purpose: What they are needed for, as the error says it.
        packages: Their names.

    Raises:
        MissingExtraError: One is not installed.
    """
    with needs(extra, purpose):
        for package in packages:
            if find_spec(package) is None:
                raise ModuleNotFoundError(name=package)
