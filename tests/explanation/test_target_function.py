"""Functions of the output as targets: each sample's score is computed from its own output alone."""

import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn

import relprop
from relprop.errors import InputError

LABELS = torch.tensor([2, 0, 3, 1])


@pytest.fixture(scope="module")
def square():
    """Four samples of a model with four classes: rows and columns of its output can be mixed up."""
    model, x = randomise(nn.Sequential(nn.Linear(5, 4))).double(), signed(4, 5)
    return relprop.Explainer(model, "zero"), x, model[0].weight.detach()


def chosen(output):
    """The score of the class that the mean over the batch says."""
    return output[:, output.mean(0).argmax()]


MIXED = {
    "a row": lambda o: o[3],
    "another row": lambda o: o[2],
    "the mean over samples": lambda o: o.mean(0),
    "the largest of a class": lambda o: o.max(0).values,
    "less the mean of all": lambda o: o[:, 3] - o.mean(),
    "in another order": lambda o: o.flip(0)[:, 3],
    "the sample before": lambda o: o[:, 3] - o.roll(1, 0)[:, 3],
    "a sum over samples": lambda o: o.cumsum(0)[:, 1],
    "normalised over samples": lambda o: o.softmax(0)[:, 0],
    "a class that the batch chooses": chosen,
    "labels, less the mean": lambda o: o[torch.arange(4), LABELS] - o.mean(),
    "labels, where the mean is positive": lambda o: o[torch.arange(4), LABELS] * (o.mean() > 0),
    "with a sample that stands far off": lambda o: o.gather(1, LABELS[:, None])[:, 0] + o[1, 0],
}


@pytest.mark.parametrize("name", MIXED)
def test_a_function_that_mixes_samples_is_refused(square, name):
    explainer, x, _ = square
    with pytest.raises(InputError, match="a function that mixes the samples") as error:
        explainer(x, target=MIXED[name])
    line = error.value.todo.split("as ")[1].split(" does")[0]
    assert explainer(x, target=eval(line)).relevance.equal(explainer(x, target=3).relevance)


# A function, and its gradient by the output: what the relevance is x W^T of.
SEPARATE = {
    "a class": (lambda o: o[:, 2], lambda z: torch.eye(4)[[2] * 4]),
    "labels": (lambda o: o[torch.arange(4), LABELS], lambda z: torch.eye(4)[LABELS]),
    "labels gathered": (
        lambda o: o.gather(1, LABELS[:, None])[:, 0],
        lambda z: torch.eye(4)[LABELS],
    ),
    "weights of samples": (
        lambda o: o[:, 1] * torch.tensor([1.0, -2.0, 0.0, 3.0]),
        lambda z: torch.tensor([[1.0], [-2.0], [0.0], [3.0]]) * torch.eye(4)[[1] * 4],
    ),
    "the first labels": (
        lambda o: o[range(len(o)), LABELS[: len(o)]],
        lambda z: torch.eye(4)[LABELS],
    ),
    "the largest": (lambda o: o.amax(1), lambda z: torch.eye(4)[z.argmax(1)]),
    "a class that each sample chooses": (
        lambda o: o[torch.arange(len(o)), o.argmin(1)],
        lambda z: torch.eye(4)[z.argmin(1)],
    ),
    "a product": (lambda o: o[:, 0] * o[:, 1], lambda z: z[:, [1, 0]] @ torch.eye(4)[:2].double()),
    "overwritten": (lambda o: o.mul_(2)[:, 1], lambda z: 2 * torch.eye(4)[[1] * 4]),
    "noisy": (lambda o: o[:, 1] + torch.rand(len(o)) * LABELS, lambda z: torch.eye(4)[[1] * 4]),
    "constant but for rounding": (lambda o: o.softmax(1).sum(1), lambda z: torch.zeros(4, 4)),
    "checked by itself": (
        lambda o: 1 / 0 if o.abs().max() > 50 else o[:, 1] + 0 * LABELS,
        lambda z: torch.eye(4)[[1] * 4],
    ),
}


@pytest.mark.filterwarnings("ignore::relprop.errors.VanishingWarning")
@pytest.mark.parametrize("name", SEPARATE)
def test_the_relevance_of_a_function_by_sample(square, name):
    """By LRP-0 in a linear model: x_i times the sum over k of z_k dF/dz_k w_ki / z_k."""
    explainer, x, weight = square
    function, gradient = SEPARATE[name]
    z = explainer(x).output
    want = x * (gradient(z).double() @ weight)
    torch.testing.assert_close(explainer(x, target=function).relevance, want, rtol=1e-9, atol=1e-9)


def test_one_sample_cannot_be_mixed(square):
    explainer, x, _ = square
    want = explainer(x[:1], target=3).relevance
    assert explainer(x[:1], target=lambda o: o.sum(0)[3:]).relevance.equal(want)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_precision_of_the_output_is_no_mixing(dtype):
    model = randomise(nn.Sequential(nn.Linear(5, 30))).to(dtype)
    x, w = torch.randn(9, 5).to(dtype), torch.randn(30, 3).to(dtype)
    labels = torch.arange(9) % 3
    explainer = relprop.Explainer(model, "zero")
    function = lambda o: (o @ w).log_softmax(1)[torch.arange(9), labels]  # noqa: E731
    assert explainer(x, target=function).relevance.isfinite().all()
    with pytest.raises(InputError, match="mixes the samples"):
        explainer(x, target=lambda o: function(o) - (o @ w).mean())


def test_the_part_of_a_list_and_of_a_pair_is_refused_too(square):
    explainer, x, _ = square
    for target in ([0, MIXED["a row"]], (MIXED["a row"], 1)):
        with pytest.raises(InputError, match="mixes the samples"):
            explainer(x, target=target)


def test_a_function_without_the_output_is_refused(square):
    explainer, x, _ = square
    for function in (lambda o: torch.ones(4), lambda o: o.argmax(1).float()):
        with pytest.raises(InputError, match="does not depend on the output"):
            explainer(x, target=function)


def test_the_output_is_not_overwritten(square):
    explainer, x, _ = square
    e = explainer(x, target=lambda o: o.mul_(0)[:, 1] + o[:, 2])
    assert e.output.equal(explainer(x).output)
