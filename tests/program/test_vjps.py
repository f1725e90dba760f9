"""Hand-written VJPs give what autograd gives, with broadcasting and casts."""

import pytest
import torch
from torch import Tensor, nn

import relprop


class Function(nn.Module):
    """A function of x (batch, 3, 4), and a weighted sum of its output."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("weight", torch.randn(2, 72, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """The scores, (batch, 2)."""
        y = self.function(x).flatten(1)
        return nn.functional.linear(y, self.weight[:, : y.shape[1]])


FUNCTIONS = {
    "broadcast in a product": lambda x: x[:, None, :1] * torch.arange(1.0, 4.0)[:, None].to(x),
    "broadcast in a sum": lambda x: x[:, None, :1] + x[:, None] * 2,
    "broadcast, and scaled": lambda x: torch.add(x[:, None], x[:, None, :, :1], alpha=3),
    "expanded": lambda x: x[:, None, :1].expand(-1, 2, 3, -1),
    "joined": lambda x: torch.cat([2 * x[:, None], x[:, None].flip(2), x[:, None] * 3], 1),
    "joined with a constant": lambda x: torch.cat([torch.ones_like(x), x], 1).unflatten(1, (2, 3)),
    "joined with nothing, as caches are": lambda x: (
        torch.cat([torch.zeros(0, dtype=x.dtype), x[:, None], 2 * x[:, None]], -2).unflatten(
            2, (2, 3)
        )
    ).sum(1),
    "a difference": lambda x: torch.sub(x[:, None, :1], 2 * x[:, None], alpha=3),
    "a constant less x": lambda x: torch.ones_like(x)[:, None] - x[:, None],
    "a quotient by a constant": lambda x: x[:, None, :, :1] / torch.arange(1.0, 5.0).to(x),
    "a sum over dimensions": lambda x: x[:, None, None].sum((1, -1), keepdim=True),
    "a sum over one": lambda x: x.sum(1),
    "a sum over all, per sample": lambda x: x.flatten(1).sum(-1)[:, None],
    "a matrix times x": lambda x: torch.arange(9.0).reshape(3, 3).to(x) @ x,
    "x times matrices": lambda x: x[:, None] @ torch.arange(32.0).reshape(2, 4, 4).to(x),
    "x times a vector": lambda x: x @ torch.arange(4.0).to(x),
    "a vector times x": lambda x: torch.arange(3.0).to(x) @ x,
    "split into equal parts": lambda x: torch.stack(x.split(3, -1)[:1], 1),
    "split, with a rest": lambda x: x.split(3, -1)[1],
    "split into sizes": lambda x: x.split([1, 3], -1)[1],
    "chunks": lambda x: torch.cat([x.chunk(2, 1)[1], 2 * x.chunk(2, 1)[0]], 1),
    "unbound": lambda x: x.unbind(1)[2][:, None] + x.unbind(2)[-1][:, :, None],
    "stacked": lambda x: torch.stack([2 * x, x.flip(1)], 1),
    "stacked twice": lambda x: torch.stack([x, x], 1),
    "padded": lambda x: nn.functional.pad(x, (1, 0, 0, 0)),
    "cut by a negative pad": lambda x: nn.functional.pad(x, (-1, 0, 1, -1)),
    "padded by repeating": lambda x: nn.functional.pad(x, (1, 0), mode="replicate"),
    "rolled": lambda x: x.roll((1, 2), (1, 2)) + x.roll(1, -1),
    "axes swapped": lambda x: x[:, None].swapaxes(1, 2).swapaxes(1, 2),
    "looked up": lambda x: x[:, torch.tensor([0, 2, 2])],
    "looked up by two": lambda x: x[:, torch.tensor([0, 1]), torch.tensor([3, 3])],
    "looked up by a mask": lambda x: x[:, torch.tensor([True, False, True])],
    "selected by an index": lambda x: x.index_select(2, torch.tensor([3, 3, 0, 1])),
    "gathered": lambda x: x.gather(1, torch.ones_like(x[:, :2], dtype=torch.long)),
    "cast to the type of another": lambda x: x[:, None].type_as(torch.ones(1, dtype=x.dtype)),
    "index-added": lambda x: torch.ones_like(x).index_add(
        1, torch.tensor([1, 1]), 2 * x[:, :2], alpha=3
    ),
    "index-added to x": lambda x: x.index_add(1, torch.tensor([1]), 2 * x[:, :1]),
    "scatter-added": lambda x: x.scatter_add(
        1, torch.ones_like(x, dtype=torch.long), 2 * x.flip(2)
    ),
    "a slice overwritten": lambda x: torch.slice_scatter(x, 2 * x[:, :, :2], 2, 1, 3),
    "an entry overwritten": lambda x: torch.select_scatter(x, 2 * x[:, 0], 1, 2),
    "filled where a mask says": lambda x: x[:, None].masked_fill(
        torch.tensor([True, False, False, True]), 0.0
    ),
    "cast to the type of what depends on x": lambda x: x.float().type_as(2 * x),
    "expanded as another": lambda x: x[:, None, :1].expand_as(x.new_ones(x.shape[0], 2, 3, 4)),
    "cast": lambda x: (
        nn.functional.linear(x[:, None].float(), torch.arange(16.0).reshape(4, 4))
        + torch.ones(3, 4, dtype=torch.float64)
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_backward_pass_is_that_of_autograd(name):
    """The rule zero is gradient x input here."""
    torch.manual_seed(0)
    model = Function(FUNCTIONS[name]).eval()
    x = torch.randn(3, 3, 4, dtype=torch.float64)
    explanation = relprop.Explainer(model, "zero")(x, target=1, ledger=True)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)
    tolerance = 1e-5 if name.startswith("cast") else 1e-10
    torch.testing.assert_close(explanation.relevance, x * gradient, rtol=tolerance, atol=tolerance)
    assert explanation.relevance.dtype is torch.float64
    assert abs(explanation.ledger.error) < tolerance


def test_a_product_of_two_matrices_gives_half_the_gradient_to_each():
    """The rule uniform; also where samples share one product, and with a vector."""
    torch.manual_seed(0)
    x = torch.randn(3, 3, 4, dtype=torch.float64)
    for function in (
        lambda x: x @ (2 * x.mT),
        lambda x: torch.bmm(x, 2 * x.mT),
        lambda x: x[:, None] @ (3 * x)[:, None].mT,
        lambda x: x[:, None] @ torch.stack([x.mT * 2, x.mT * 3], 1),
    ):
        model = Function(function).eval()
        explanation = relprop.Explainer(model, "zero")(x, target=1, ledger=True)
        leaf = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)
        torch.testing.assert_close(explanation.relevance, x * gradient / 2)
        assert abs(explanation.ledger.error) < 1e-10


@pytest.mark.parametrize("dim", [1, -1])
def test_a_softmax_gives_its_gradient(dim):
    """The rule taylor; masked entries get nothing."""
    torch.manual_seed(0)
    x = torch.randn(3, 3, 4, dtype=torch.float64)
    mask = torch.zeros(3, 4, dtype=torch.float64)
    mask[0, 1] = -torch.inf
    model = Function(lambda x: (x + mask).softmax(dim)).eval()
    explanation = relprop.Explainer(model, "attnlrp")(x, target=1, ledger=True)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)
    torch.testing.assert_close(explanation.relevance, x * gradient)
    assert abs(explanation.ledger.error) < 1e-10


def test_a_batch_norm_that_is_not_folded_gives_its_gradient():
    """One before any layer, with and without a factor of each channel."""
    torch.manual_seed(0)
    x = torch.randn(3, 3, 4, dtype=torch.float64)
    for affine in (True, False):
        norm = nn.BatchNorm1d(3, affine=affine).double()
        nn.init.uniform_(norm.running_var, 0.5, 2)
        model = nn.Sequential(norm, nn.ReLU(), nn.Flatten(), nn.Linear(12, 2).double()).eval()
        explanation = relprop.Explainer(model, "zero")(x, target=1, ledger=True)
        leaf = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)
        torch.testing.assert_close(explanation.relevance, x * gradient)
        assert abs(explanation.ledger.error) < 1e-10
