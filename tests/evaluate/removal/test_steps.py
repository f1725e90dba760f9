"""How many units are gone in each column."""

from itertools import pairwise

import pytest
import torch
from helpers.removal_models import weighted

from relprop.errors import InputError
from relprop.evaluate import grouped, removal_curve
from relprop.evaluate.removal.steps import column_of, removal_counts, share_counts


def of(steps, *units, **spacing):
    return removal_counts(steps, torch.tensor(units), **spacing).tolist()


def test_even_steps_go_up_to_everything():
    assert of(4, 8) == [[0, 2, 4, 6, 8]]
    assert of(4, 10) == [[0, 2, 5, 8, 10]]  # 2.5 and 7.5 to the even one
    assert of(3, 7, 3) == [[0, 2, 5, 7], [0, 1, 2, 3]]
    assert of(1, 5) == [[0, 5]]


def test_logarithmic_steps_grow_by_a_factor():
    assert of(4, 1000, spacing="log") == [[0, 1, 10, 100, 1000]]
    assert of(1, 7, spacing="log") == [[0, 7]]


def test_logarithmic_steps_never_repeat():
    """784 ** (k / 19) is 1, 1.4, 2.0, 2.9, 4.1, ...: the second 1 becomes 2, and so on."""
    expected = [0, 1, 2, 3, 4, 5, 6, 8, 12, 17, 23, 33, 47, 67, 96, 136, 193, 274, 389, 552, 784]
    assert of(20, 784, spacing="log") == [expected]
    for units in range(1, 60):
        for steps in range(1, units + 1):
            (row,) = of(steps, units, spacing="log")
            assert row[-1] == units, (units, steps)
            assert all(a < b for a, b in pairwise(row)), (units, steps)


def test_shares_are_rounded_and_counts_taken_as_they_are():
    assert of((0.1, 0.25, 1.0), 784) == [[0, 78, 196, 784]]
    assert of((0.5, 1.0), 4, 6) == [[0, 2, 4], [0, 3, 6]]
    assert of((1, 5), 8) == [[0, 1, 5]]
    assert of((1, 5), 8, 6) == [[0, 1, 5], [0, 1, 5]]


def test_a_share_is_found_again():
    units = torch.tensor([4, 6])
    found = removal_counts((0.5, 1.0), units)
    assert [column_of(q, found, units) for q in (0, 0.5, 1.0)] == [0, 1, 2]
    for q in (0.25, 0.4, -1.0, float("nan")):
        with pytest.raises(InputError, match="of a curve that has no such step"):
            column_of(q, found, units)


def test_a_share_is_a_rounded_number_of_units():
    assert share_counts(0.1, torch.tensor([784])).tolist() == [78]
    assert share_counts(1.0, torch.tensor([784, 9])).tolist() == [784, 9]
    assert share_counts(0.25, torch.tensor([9, 11])).tolist() == [2, 3]


@pytest.mark.parametrize("q", [0.0, -0.1, 1.1, float("nan"), 1e-4])
def test_a_share_of_no_unit_says_what_is_allowed(q):
    with pytest.raises(InputError, match="share to remove of samples with 784 units") as caught:
        share_counts(q, torch.tensor([800, 784]))
    assert caught.value.allowed.startswith("above 0, at most 1")


@pytest.mark.parametrize("steps", [0, -1, 9, True])
def test_more_steps_than_units_say_what_is_allowed(steps):
    with pytest.raises(InputError, match="of samples with 8 units to remove") as caught:
        of(steps, 10, 8)
    assert caught.value.allowed == "from 1 to 8"


@pytest.mark.parametrize(
    "steps",
    [(), "ten", (0.1, 2), (True, 2), None, (0.2, 0.2), (3, 1), (0, 1), (9,), (0.01,), (1.1,)],
)
def test_steps_that_do_not_rise_or_do_not_fit_are_refused(steps):
    with pytest.raises(InputError, match="steps="):
        of(steps, 8, 12)


def test_an_unknown_spacing_is_refused():
    with pytest.raises(InputError, match="spacing='even'"):
        of(4, 8, spacing="even")


def test_a_curve_takes_its_steps_from_the_sample_with_the_fewest_units():
    model, x = weighted(4, samples=2)
    units = grouped(torch.tensor([[0, 1, 2, 3], [0, 0, 1, 1]]))
    with pytest.raises(InputError, match="steps=3 of samples with 2 units to remove"):
        removal_curve(model, x, x, units=units, steps=3)
