"""Masks of a softmax that is written out, and which of their numbers may change."""

import pytest
import torch
from helpers.close_maps import assert_same
from helpers.networks import randomise, signed
from helpers.written_softmax import normalised
from torch import Tensor, nn

import relprop
from relprop.capture.model import capture_model
from relprop.explanation.check_inputs import check_inputs


class Masked(nn.Module):
    """Weights of which the second input masks some."""

    def __init__(self) -> None:
        super().__init__()
        self.keys, self.head = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.head(normalised(self.keys(x).exp() * mask))


class WeightedMean(nn.Module):
    """A mean of values, weighted by exponentials times a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.keys, self.values, self.head = nn.Linear(6, 5), nn.Linear(6, 5), nn.Linear(1, 3)
        self.weights = nn.Parameter(torch.ones(5))

    def forward(self, x: Tensor) -> Tensor:
        e = self.keys(x).exp() * self.weights
        return self.head((e * self.values(x)).sum(-1, keepdim=True) / e.sum(-1, keepdim=True))


POSITIVE = torch.tensor([[1, 0, 1, 1, 0], [0.5, 1, 2, 0, 1], [1, 1, 1, 1, 1]]).double()
NEGATIVE = POSITIVE.clone()
NEGATIVE[1, 2] = -0.25  # of the sample in the middle


def has_softmax(explainer: relprop.Explainer, x) -> bool:
    return "softmax" in [step.node.operation for step in explainer.plan(x).steps]


@pytest.mark.filterwarnings("ignore::relprop.errors.UnreadSoftmaxWarning")
@pytest.mark.parametrize("order", [(POSITIVE, NEGATIVE, POSITIVE), (NEGATIVE, POSITIVE, NEGATIVE)])
def test_a_mask_that_is_another_input_may_change_its_sign(order):
    """Each explanation is that of an explainer that has seen no other numbers."""
    model, x = randomise(Masked().double()), signed(3, 6)
    kept = relprop.Explainer(model, "attnlrp")
    for mask in order:
        new = relprop.Explainer(model, "attnlrp")
        got, want = (one((x, mask), explain="x", target=1) for one in (kept, new))
        torch.testing.assert_close(got.output, model(x, mask), rtol=1e-12, atol=1e-12)
        assert_same(got.relevance, want.relevance, 1e-14)
        assert has_softmax(kept, (x, mask)) == has_softmax(new, (x, mask)) == (mask is POSITIVE)


@pytest.mark.filterwarnings("ignore::relprop.errors.UnreadSoftmaxWarning")
@pytest.mark.parametrize("first", [0.5, -0.5])
def test_weights_that_are_a_parameter_may_change_their_sign(first):
    model, x = randomise(WeightedMean().double()), signed(3, 6)
    kept = relprop.Explainer(model, "attnlrp")
    for weight in (first, -first, first):
        model.weights.data = torch.tensor([1, 2, weight, 1, 0]).double()
        got = kept(x, target=1)
        want = relprop.Explainer(model, "attnlrp")(x, target=1)
        assert_same(got.relevance, want.relevance, 1e-14)
        other_recipe = kept.with_recipe("epsilon")(x, target=1)
        assert_same(other_recipe.output, model(x), 1e-12)
        assert has_softmax(kept, x) == (weight > 0)


def test_a_graph_that_is_right_for_some_signs_alone_is_not_saved(tmp_path):
    model, x = randomise(WeightedMean().double()), signed(3, 6)
    model.weights.data = torch.tensor([1, 2, 0.5, 1, 0]).double()
    explainer = relprop.Explainer(model, "attnlrp")
    explainer(x, target=1)
    with pytest.raises(relprop.RelpropError, match="right for some signs of them alone"):
        explainer.save(tmp_path / "model.plans")


ALWAYS = {
    "a comparison": lambda x, m: (m > -9).double(),
    "a sigmoid": lambda x, m: m.sigmoid(),
    "a square, times a comparison": lambda x, m: m.square() * (m > 0),
    "a ReLU, cut": lambda x, m: m.relu().tril(2) + 1,
    "the code's": lambda x, m: torch.ones(5, 5).tril().double()[3],
}


@pytest.mark.parametrize("name", ALWAYS)
def test_of_some_masks_the_operations_tell_that_they_are_never_negative(name):
    """Nothing has to be looked up again at the next call."""
    masked = Masked().double()

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.masked = masked

        def forward(self, x, m):
            return self.masked(x, ALWAYS[name](x, m))

    inputs = check_inputs(Net().eval(), (signed(3, 6), signed(3, 5)), None)
    with torch.no_grad():
        captured = capture_model(Net().eval(), inputs, None, per_input=False)
    assert "softmax" in [node.operation for node in captured.graph.nodes]
    assert not captured.masks.found


@pytest.mark.filterwarnings("ignore::relprop.errors.UnreadSoftmaxWarning")
def test_a_mask_that_is_explained_is_none():
    model, x = randomise(Masked().double()), signed(3, 6)
    both = relprop.Explainer(model, "epsilon").plan((x, POSITIVE), explain=("x", "mask"))
    assert "softmax" not in [step.node.operation for step in both.steps]
