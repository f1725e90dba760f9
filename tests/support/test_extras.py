"""Missing optional packages: the error names the package and the pip line."""

import sys

import pytest

from relprop.errors import MissingExtraError
from relprop.support.extras import needs, needs_library, require


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match="a figure: matplotlib is not installed") as caught:
        require("demo", "a figure", ("json", "matplotlib"))
    assert caught.value.todo == 'pip install "relprop[demo]"'


def test_a_more_precise_error_from_inside_is_not_replaced():
    """A package may be installed and unusable; MissingExtraError is itself an ImportError."""
    precise = MissingExtraError("lightning cannot be imported", "another torchvision", "install it")
    with pytest.raises(MissingExtraError) as caught, needs("train", "training"):
        raise precise
    assert caught.value is precise


def test_a_library_that_no_extra_installs_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with (
        pytest.raises(MissingExtraError, match="tokenizers: transformers is not") as caught,
        needs_library("transformers", "tokenizers"),
    ):
        import transformers  # noqa: F401
    assert caught.value.todo == "pip install transformers"


def test_packages_are_looked_for_without_the_time_to_import_them(monkeypatch):
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    require("demo", "sounds", ("wave",))
    assert "wave" not in sys.modules
    with pytest.raises(MissingExtraError, match="sounds: no_such_package is not installed"):
        require("demo", "sounds", ("wave", "no_such_package"))
