"""What a removal curve does with a fill, and which values it refuses."""

import pytest
import torch
from helpers.removal_models import weighted

from relprop.errors import InputError
from relprop.evaluate import Fill, removal_curve, removal_curves


def test_a_function_is_passed_what_is_removed_and_the_same_noise_at_every_step():
    model, x = weighted(4, samples=3)
    seen = []

    def half(x, gone, generator):
        seen.append((gone.sum(1).tolist(), torch.rand(1, generator=generator).item()))
        return x / 2

    got = removal_curve(model, x, x, fill=half, steps=4, score="logit", target=0, batch_size=1)
    assert [gone for gone, _ in seen] == [[k] * 3 for k in (1, 2, 3, 4)]  # all samples, each step
    assert len({noise for _, noise in seen}) == 1
    torch.testing.assert_close(got.scores[:, -1], got.scores[:, 0] / 2)
    assert got.fill == "half"


def test_a_fill_that_does_not_depend_on_what_is_removed_is_called_once():
    model, x = weighted(4, samples=3)
    calls = []

    def zero(x, gone, generator):
        calls.append(gone)
        return torch.zeros_like(x)

    removal_curves(model, x, {"a": x, "b": -x}, fill=Fill("zero", zero), steps=4, batch_size=1)
    assert len(calls) == 1
    assert calls[0].all()


def test_entries_that_are_left_are_never_replaced():
    model, x = weighted(2, 5, 4)
    seen = []
    hook = model.register_forward_hook(lambda m, args, out: seen.append(args[0]))
    order = torch.arange(20).repeat(5, 1)
    removal_curve(model, x, None, order=order, fill=7.0, steps=(8,))
    hook.remove()
    assert seen[1].flatten(2)[:, :, 8:].equal(x.flatten(2)[:, :, 8:])
    assert (seen[1].flatten(2)[:, :, :8] == 7.0).all()


@pytest.mark.parametrize(
    "fill", [torch.zeros(3), torch.zeros(5, 1), lambda x, removed, generator: x[:1]]
)
def test_a_fill_of_another_shape_is_refused(fill):
    model, x = weighted(4)
    with pytest.raises(InputError, match=r"returned \(.*\) for x of shape \(5, 4\)"):
        removal_curve(model, x, x, fill=fill, steps=2)
    assert model.rows == ([5] if callable(fill) else [])  # a function is first asked for a step


def test_a_fill_without_numbers_is_refused():
    model, x = weighted(4)
    with pytest.raises(InputError, match='the fill "nan" returned NaN'):
        removal_curve(model, x, x, fill=torch.nan, steps=2)
    with pytest.raises(InputError, match='the fill "<lambda>" returned NoneType'):
        removal_curve(model, x, x, fill=lambda x, removed, generator: None, steps=2)
