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
        self.register_buffer("weight", torch.randn(2, 6, 3, 4, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """The scores, (batch, 2)."""
        y = self.function(x)
        return (y[:, None] * self.weight[:, : y.shape[1], : y.shape[2]]).sum((2, 3, 4))


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
    tolerance = 1e-5 if name == "cast" else 1e-10
    torch.testing.assert_close(explanation.relevance, x * gradient, rtol=tolerance, atol=tolerance)
    assert explanation.relevance.dtype is torch.float64
    assert abs(explanation.ledger.error) < tolerance
