"""A large batch explained in parts of batch_size samples."""

import pytest
import torch
from helpers.networks import Deep, pixels
from torch import Tensor, nn

import relprop
from relprop.errors import InputError


def images(count: int) -> Tensor:
    return pixels(count, 1, 8, 8).float()


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return Deep().eval()


def same(one: relprop.Explanation, other: relprop.Explanation) -> None:
    torch.testing.assert_close(one.relevance, other.relevance)
    torch.testing.assert_close(one.output, other.output)
    torch.testing.assert_close(one.input, other.input, rtol=0, atol=0)
    assert torch.equal(one.target, other.target)
    assert torch.equal(one.prediction, other.prediction)


@pytest.mark.parametrize(
    "target",
    [
        None,
        2,
        torch.arange(7) % 4,
        (torch.arange(7) % 4, 3 - torch.arange(7) % 2),
        ["runner-up", 1],
    ],
    ids=["predicted", "one class", "one per sample", "pair", "several"],
)
def test_a_batch_in_parts_is_explained_as_in_one(model, target):
    explainer, x = relprop.Explainer(model), images(7)
    if isinstance(target, tuple):
        target = (target[0], (target[0] + 1) % 4)
    whole = explainer(x, target, layers=["layers.1"], ledger=True)
    parts = explainer(x, target, layers=["layers.1"], ledger=True, batch_size=3)
    same(whole, parts)
    torch.testing.assert_close(whole.layers["layers.1"], parts.layers["layers.1"])
    for one, other in zip(whole.ledgers, parts.ledgers, strict=True):
        torch.testing.assert_close(one.relevance_out, other.relevance_out)
        assert [entry.operation for entry in one.entries] == [e.operation for e in other.entries]


def test_parts_can_be_differentiated_as_the_whole(model):
    x = images(5).requires_grad_()

    def slope(**options):
        explanations = relprop.Explainer(model, "epsilon")(x, create_graph=True, **options)
        return torch.autograd.grad(explanations.relevance.square().sum(), x)[0]

    torch.testing.assert_close(slope(batch_size=2), slope())


class Turned(nn.Module):
    """Has samples in the last dimension between two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.turn, self.last = nn.Linear(6, 4), Transposed(), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.turn(self.first(x)).t())


class Transposed(nn.Module):
    def forward(self, h: Tensor) -> Tensor:
        return h.t()


@pytest.mark.parametrize("size", [2, 4])  # 4 is also the first size of that layer's output
def test_a_layer_whose_output_does_not_begin_with_samples_is_refused(size):
    explainer, x = relprop.Explainer(Turned().eval(), "zero"), torch.randn(5, 6)
    assert explainer(x, layers=["turn"]).layers["turn"].shape == (4, 5)
    with pytest.raises(InputError, match=r"at a layer, for \d samples in parts"):
        explainer(x, layers=["turn"], batch_size=size)


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"batch_size": 2.5}, {"memory": True}])
def test_sizes_are_whole_numbers(model, wrong):
    with pytest.raises(InputError, match=r"a whole number (of bytes )?> 0"):
        relprop.Explainer(model)(images(2), **wrong)


def test_a_target_of_another_size_is_refused_for_the_whole_batch(model):
    explainer, x = relprop.Explainer(model), images(7)
    for target in (torch.zeros(3, dtype=torch.long), [0, (torch.zeros(3, dtype=torch.long), 1)]):
        with pytest.raises(InputError, match=r"of shape \(3,\) for a batch of 7"):
            explainer(x, target, batch_size=3)


class Shifted(nn.Module):
    """Adds the sum of a table's rows to its input."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, x: Tensor, table: Tensor) -> Tensor:
        return self.layer(x + table.sum(0))


def test_an_input_that_samples_share_is_not_split():
    explainer, x = relprop.Explainer(Shifted().eval()), torch.randn(8, 6)
    for rows, fine, wrong in ((3, 4, 3), (2, 4, 3), (1, 2, None)):  # 8 are 3, 3 and 2
        given = {"x": x, "table": torch.randn(rows, 6)}
        same(explainer(given), explainer(given, batch_size=fine))
        if wrong:
            with pytest.raises(InputError, match=f'"table".* in parts of {wrong}'):
                explainer(given, batch_size=wrong)
