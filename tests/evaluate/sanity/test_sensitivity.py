"""Sensitivity: closed forms on linear models, and what noise the method is given."""

import math

import pytest
import torch
from helpers.sanity_methods import gradient_times_input, looks_at_the_input_alone, perceptron
from scipy import stats

from relprop.errors import InputError
from relprop.evaluate import sensitivity

MODEL, X = perceptron(6, 5, 3, seed=1)


class Recorder:
    """Gradient times input, and the samples and classes it was call for."""

    def __init__(self):
        self.x, self.target = [], []

    def __call__(self, model, x, target):
        self.x.append(x)
        self.target.append(target)
        return gradient_times_input(model, x, target)


@pytest.mark.parametrize("batch_size", [256, 14, 3])
def test_changes_are_relative_lengths_draw_by_draw(batch_size):
    method = Recorder()
    target = torch.arange(7) % 3
    settings = {"draws": 5, "target": target, "batch_size": batch_size}
    got = sensitivity(MODEL, X, method, radius=0.3, **settings)
    seen = torch.cat(method.x)[7:].reshape(5, 7, 6)  # after the untouched samples
    assert torch.cat(method.target).equal(target.repeat(6))
    before = gradient_times_input(MODEL, X, target)
    for draw in range(5):
        after = gradient_times_input(MODEL, seen[draw], target)
        for i in range(7):
            change = math.dist(after[i].tolist(), before[i].tolist()) / math.hypot(*before[i])
            assert float(got.changes[draw, i]) == pytest.approx(change)
    torch.testing.assert_close(got.maximum, got.changes.max(0).values)
    torch.testing.assert_close(got.mean, got.changes.sum(0) / 5)


def test_noise_is_uniform_within_the_radius():
    method = Recorder()
    sensitivity(MODEL, X, method, radius=0.3, draws=200)
    noise = torch.cat(method.x)[7:].reshape(200, 7, 6) - X
    assert stats.kstest(noise.flatten().numpy(), "uniform", (-0.3, 0.6)).pvalue > 0.01
    assert len(noise.flatten().unique()) == noise.numel()


def test_batches_change_no_number():
    whole = sensitivity(MODEL, X, gradient_times_input, radius=0.3, seed=2)
    for batch_size in (1, 3, 20, 21):
        parts = sensitivity(
            *(MODEL, X, gradient_times_input), radius=0.3, seed=2, batch_size=batch_size
        )
        torch.testing.assert_close(whole.changes, parts.changes)
    other = sensitivity(MODEL, X, gradient_times_input, radius=0.3, seed=3)
    assert not whole.changes.equal(other.changes)


def test_a_constant_map_does_not_change_and_a_zero_one_has_no_change():
    def weights_or_nothing(model, x, target):
        return torch.ones_like(x) * (torch.arange(len(x)) % 7 > 0)[:, None]

    got = sensitivity(MODEL, X, weights_or_nothing, radius=0.3)
    assert got.changes[:, 1:].eq(0).all()
    assert got.changes[:, 0].isnan().all()
    assert repr(got).splitlines() == [
        "noise of radius 0.3, 10 draws, 7 samples",
        "maximum  0.0000 [0.0000, 0.0000] of 6",
        "mean     0.0000 [0.0000, 0.0000] of 6",
    ]


def test_what_was_zero_before_has_no_relative_change():
    values = iter([0.0, 1.0])
    got = sensitivity(
        *(MODEL, X, lambda model, x, target: torch.full_like(x, next(values))), radius=0.3, draws=1
    )
    assert got.changes.isnan().all()


def test_the_class_stays_that_of_the_untouched_sample():
    method = Recorder()
    sensitivity(MODEL, X, method, radius=50.0)
    target = MODEL(X).argmax(1)
    assert torch.cat(method.target).equal(target.repeat(11))
    assert not MODEL(torch.cat(method.x)).argmax(1).equal(target.repeat(11))


@pytest.mark.parametrize("radius", [0, -1.0, math.inf, math.nan, "0.1", True])
def test_the_radius_is_a_positive_number(radius):
    with pytest.raises(InputError, match="radius="):
        sensitivity(MODEL, X, looks_at_the_input_alone, radius=radius)


@pytest.mark.parametrize("draws", [0, 2.0, True])
def test_draws_are_counted(draws):
    with pytest.raises(InputError, match="draws="):
        sensitivity(MODEL, X, looks_at_the_input_alone, radius=0.1, draws=draws)


def test_token_ids_take_no_noise():
    model = torch.nn.Sequential(torch.nn.Embedding(9, 3), torch.nn.Flatten(), torch.nn.Linear(6, 2))
    with pytest.raises(InputError, match=r"noise on an input of dtype torch\.int64"):
        sensitivity(*(model.eval(), torch.tensor([[1, 2]]), looks_at_the_input_alone), radius=0.1)


def test_relevance_keeps_its_shape():
    answers = iter([(7, 6), (70, 3)])
    with pytest.raises(InputError, match=r"shape \(70, 3\), and \(7, 6\) before"):
        sensitivity(MODEL, X, lambda *given: torch.ones(next(answers)), radius=0.1)


class Scaled(torch.nn.Module):
    def forward(self, x, scale):
        return MODEL(x) * scale


def test_of_several_inputs_the_first_gets_noise_and_the_rest_goes_along():
    scale = torch.arange(1.0, 8.0)[:, None].double()

    def method(model, given, target):
        x = given["x"].detach().clone().requires_grad_()
        score = model(x, given["scale"]).gather(1, target[:, None]).sum()
        return torch.autograd.grad(score, x)[0] * x.detach()

    for batch_size in (3, 20, 256):
        settings = {"radius": 0.3, "target": 0, "batch_size": batch_size}
        got = sensitivity(Scaled().eval(), {"x": X, "scale": scale}, method, **settings)
        alone = sensitivity(MODEL, X, gradient_times_input, **settings)
        torch.testing.assert_close(got.changes, alone.changes)  # the scale is in both lengths
