"""An input that is written into after it was given is noticed."""

import pytest
import torch
from helpers.networks import mnist_cnn, pixels, randomise
from torch import nn

import relprop


@pytest.fixture(scope="module")
def explained() -> tuple[nn.Module, torch.Tensor, relprop.Explanation]:
    net, x = randomise(mnist_cnn()), pixels(3, 1, 28, 28).float()
    return net, x, relprop.Explainer(net, "epsilon")(x)


def test_an_input_that_was_written_into_is_an_error(explained):
    net, x, _ = explained
    for options in ({}, {"batch_size": 2}):
        given = x.clone()
        e = relprop.Explainer(net)(given, **options)
        assert e.input.equal(x)
        assert e.inputs["input"] is e.input
        given[1].mul_(0.5)
        with pytest.raises(relprop.RelpropError, match=r"written into after it was given"):
            _ = e.input
        assert "written into" in e._repr_html_()
        assert e.relevance.shape == x.shape


def test_an_input_that_a_target_writes_into_is_an_error():
    net, given = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).eval(), torch.rand(5, 2, 2)
    explainer = relprop.Explainer(net)
    explainer(given)

    def target(output: torch.Tensor) -> torch.Tensor:
        given.add_(1)
        return output[:, 0]

    for options in ({}, {"batch_size": 2}):
        with pytest.raises(relprop.RelpropError, match="written into"):
            explainer(given, target, **options)


def test_an_input_that_is_written_into_between_parts_is_an_error():
    net, given = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).eval(), torch.rand(5, 2, 2)

    class Writes:
        @property
        def shape(self) -> tuple[int, ...]:  # read when a part is taken
            given.add_(1)
            return ()

        def __call__(self, output: torch.Tensor) -> torch.Tensor:
            return output[:, 0]

    with pytest.raises(relprop.RelpropError, match="written into"):
        relprop.Explainer(net)(given, Writes(), batch_size=2)


def test_with_create_graph_an_input_that_is_written_into_later_has_its_gradient(explained):
    net, x, _ = explained
    given = x.clone().requires_grad_()
    e = relprop.Explainer(net, "epsilon")(given, create_graph=True)
    expected = torch.autograd.grad(e.relevance.square().sum(), given, retain_graph=True)[0]
    with torch.no_grad():
        given.zero_()
    assert torch.autograd.grad(e.relevance.square().sum(), given)[0].equal(expected)
    assert e.input.equal(x)


def test_an_input_of_inference_mode_is_copied_since_it_has_no_version(explained):
    net, x, _ = explained
    with torch.inference_mode():
        given = x.clone()
        e = relprop.Explainer(net)(given)
        given.zero_()
    assert e.input.equal(x)
