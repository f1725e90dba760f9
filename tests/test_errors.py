"""Errors: three parts, built-in classes that callers may catch, and their first line."""

import pickle

import pytest

from relprop import errors
from relprop.errors import first_line

CLASSES = {
    errors.InputError: ValueError,
    errors.CaptureError: errors.RelpropError,
    errors.PlanError: errors.RelpropError,
    errors.FileError: OSError,
    errors.MissingExtraError: ImportError,
    errors.NumberError: ArithmeticError,
    errors.RuleError: errors.RelpropError,
}


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_has_three_parts_and_a_class_that_callers_may_catch(kind):
    error = kind("x is 3", "0 to 2", "write x=2")
    assert str(error) == "x is 3\n  allowed: 0 to 2\n  to do:   write x=2"
    assert (error.given, error.allowed, error.todo) == ("x is 3", "0 to 2", "write x=2")
    assert isinstance(error, errors.RelpropError)
    assert isinstance(error, CLASSES[kind])
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_first_line_of_an_error_is_short():
    assert first_line(ValueError("\n  one \t two\nthree")) == "one two"
    assert first_line(ValueError()) == "ValueError"
    assert len(first_line(ValueError("x" * 1000))) == 300
