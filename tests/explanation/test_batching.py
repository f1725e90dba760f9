"""A large batch explained in parts of batch_size samples."""

import pytest
import torch
from helpers.image_batches import deep_model, images, same
from torch import Tensor, nn

import relprop
from relprop.errors import InputError, NumberError


@pytest.fixture
def model() -> nn.Module:
    return deep_model()


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


class Overflows(nn.Module):
    """Gives an infinite score to a sample whose first entry is large."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(x * 1e30)


@pytest.mark.parametrize("size", [{}, {"batch_size": 4}, {"batch_size": 3}])
def test_errors_name_the_sample_of_the_whole_batch(size):
    x = torch.zeros(10, 4)
    x[7] = 1e20
    with pytest.raises(NumberError, match="sample 7 is not finite"):
        relprop.Explainer(Overflows().eval())(x, **size)
    explainer = relprop.Explainer(nn.Linear(4, 3, bias=False).eval())
    x = torch.ones(10, 4)
    x[7] = 0
    with pytest.raises(InputError, match='initial="one" for sample 7'):
        explainer(x, target=1, initial="one", **size)
    classes = torch.zeros(10).long()
    classes[7] = 2
    with pytest.raises(InputError, match="equal classes for sample 7"):
        explainer(x, target=(classes, 2), **size)


@pytest.mark.filterwarnings("ignore::relprop.errors.AmplificationWarning")
@pytest.mark.parametrize("size", [{}, {"batch_size": 4}])
def test_errors_of_relevance_name_the_sample_of_the_whole_batch(size):
    """Two contributions of 1e310 that cancel: the output is 0, the relevance infinite."""
    model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Linear(1, 2, bias=False)).double().eval()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -1.0]]))
        model[1].weight.fill_(1e300)
    x = torch.ones(10, 2, dtype=torch.float64)
    x[7] = 1e10
    with pytest.raises(NumberError, match="relevance for sample 7 is not finite"):
        relprop.Explainer(model, "zero")(x, target=0, **size)
