"""Misspelt names and keyword arguments of what users choose by name."""

from pathlib import Path

import pytest

import relprop
from relprop.errors import InputError
from relprop.support.arguments import (
    check_one_of,
    complete_parameters,
    keyword_parameters,
    suggest,
)

NAMES = ["zero", "epsilon", "alpha-beta"]


@pytest.mark.parametrize(
    ("name", "todo"),
    [
        ("epsilom", 'write "epsilon"'),
        ("alpha_beta", 'write "alpha-beta"'),
        ("eps", 'write "epsilon"'),
        ("gradient", "choose one of these"),
        (3, "choose one of these"),
        ("", "choose one of these"),
    ],
)
def test_a_misspelt_name_is_corrected_where_one_is_near(name, todo):
    assert suggest(name, NAMES) == todo


def test_where_none_is_near_the_caller_says_what_to_do():
    assert suggest("gradient", NAMES, otherwise="give a path") == "give a path"
    assert suggest("gradient", []) == "choose one of these"


def test_all_suggestions_come_from_one_function():
    package = Path(relprop.__file__).parent
    users = [path.name for path in package.rglob("*.py") if "difflib" in path.read_text()]
    assert users == ["arguments.py"]


def function(x, *, low, high, gamma=0.25):
    return x, low, high, gamma


def test_defaults_are_filled_in_and_the_order_is_that_of_the_parameters():
    values = complete_parameters("f", keyword_parameters(function), {"high": 1, "low": 0})
    assert list(values.items()) == [("low", 0), ("high", 1), ("gamma", 0.25)]


@pytest.mark.parametrize(
    ("values", "given", "todo"),
    [
        ({"low": 0, "high": 1, "gama": 1}, "f was given the parameter 'gama'", 'write "gamma"'),
        ({"low": 0}, "f was not given 'high'", "write high=..."),
    ],
)
def test_unknown_and_missing_parameters_are_errors(values, given, todo):
    with pytest.raises(InputError) as error:
        complete_parameters("f", keyword_parameters(function), values)
    assert (error.value.given, error.value.todo) == (given, todo)
    assert error.value.allowed == "low, high, gamma"


def test_a_word_that_is_not_allowed_is_an_error():
    check_one_of("bins_by", "tree", ["quantile", "tree"])
    with pytest.raises(InputError) as error:
        check_one_of("bins_by", "trees", ["quantile", "tree"])
    assert (error.value.given, error.value.todo) == ("bins_by is 'trees'", 'write "tree"')
    assert error.value.allowed == '"quantile", "tree"'
    with pytest.raises(InputError) as error:
        check_one_of("bins_by", 3, ["quantile", "tree"])
    assert error.value.todo == 'write bins_by="quantile"'
