"""Every fill by its name, and everything else that may be passed as a fill."""

import pytest
import torch
from helpers.fill_values import values
from helpers.removal_models import weighted

from relprop.errors import InputError
from relprop.evaluate import FILLS, before_normalisation, removal_curve


@pytest.mark.parametrize("name", FILLS)
def test_with_everything_removed_the_model_runs_on_the_fill_alone(name):
    """Every fill that has a name, in a curve: the last column scores its values."""
    model, x = weighted(2, 5, 4)
    got = removal_curve(model, x, x, fill=name, steps=4, score="logit", target=0, seed=5)
    expected = model(values(name, x, seed=5))[:, 0]
    torch.testing.assert_close(got.scores[:, -1], expected.detach())
    assert got.fill == name


def test_a_number_a_tensor_and_a_function_are_fills():
    model, x = weighted(4, samples=3)

    def last(fill):
        got = removal_curve(model, x, x, fill=fill, steps=2, score="logit", target=0)
        return got.scores[:, -1]

    twos = torch.full_like(x, 2.0)
    expected = model(twos)[:, 0].detach()
    for fill in (2, 2.0, twos, twos[0], lambda x, removed, generator: twos):
        torch.testing.assert_close(last(fill), expected)


def test_an_unknown_fill_is_named_with_the_known_ones():
    model, x = weighted(4)
    with pytest.raises(InputError, match="fill='balck'") as caught:
        removal_curve(model, x, x, fill="balck", steps=2)
    assert caught.value.allowed.startswith("one of zero, mean, sample-mean, mode, uniform")


@pytest.mark.parametrize("fill", ["blur", "neighbours", before_normalisation("zero", 0.5, 1.0)])
def test_some_fills_are_for_images_alone(fill):
    model, x = weighted(4)
    with pytest.raises(InputError, match=r"of x of shape \(5, 4\)"):
        removal_curve(model, x, x, fill=fill, steps=2)
