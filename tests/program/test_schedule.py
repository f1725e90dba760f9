"""Buffers that the backward pass reuses: less memory, the same numbers."""

import pytest
import torch
from torch import Tensor, nn

import relprop
from relprop.explanation.memory import peak_bytes


def gradient_times_input(model: nn.Module, x: Tensor) -> None:
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf).amax(1).sum(), leaf)
    _ = gradient * x


class Blocks(nn.Module):
    """Transformer blocks without attention, and scores that are reshaped back and forth."""

    def __init__(self, depth: int = 4, width: int = 32) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.wide = nn.ModuleList(nn.Linear(width, 4 * width) for _ in range(depth))
        self.gates = nn.ModuleList(nn.Linear(width, 4 * width) for _ in range(depth))
        self.narrow = nn.ModuleList(nn.Linear(4 * width, width) for _ in range(depth))
        self.head = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        for parts in zip(self.norms, self.wide, self.gates, self.narrow, strict=True):
            norm, wide, gate, narrow = parts
            h = norm(x)
            x = x + narrow(nn.functional.gelu(gate(h)) * wide(h))
        return self.head(x).unsqueeze(1).flatten(1)


@pytest.fixture
def blocks() -> nn.Module:
    torch.manual_seed(0)
    return Blocks().eval().requires_grad_(False)


def test_memory_of_gated_blocks_is_that_of_the_gradient(blocks):
    explainer, x = relprop.Explainer(blocks, "attnlrp"), torch.randn(64, 32)
    explainer(x)
    floor = peak_bytes(lambda: gradient_times_input(blocks, x))
    assert peak_bytes(lambda: explainer(x)) <= 1.03 * floor


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("attnlrp", {}),
        ("attnlrp", {"epsilon": 0.1}),
        ("epsilon", {}),
        ("epsilon-plus-flat", {}),
        ("epsilon-gamma-box", {"low": -4.0, "high": 4.0}),
        ("epsilon-alpha2-beta1", {}),
    ],
)
def test_the_last_backward_pass_gives_what_the_others_give(blocks, name, parameters):
    recipe = relprop.Recipe.preset(name, **parameters)
    explainer, x = relprop.Explainer(blocks.double(), recipe), torch.randn(1, 32).double()
    first, second = explainer(x, 0), explainer(x, [0, 0, 1])
    for i in (0, 1):
        torch.testing.assert_close(first.relevance, second.relevance[:, i])
    torch.testing.assert_close(first.output, blocks(x), rtol=0, atol=0)
    assert torch.equal(
        explainer(x, 0).relevance, first.relevance
    )  # no cached value was overwritten
    again = explainer(x, 0, recompute=True)
    torch.testing.assert_close(again.relevance, first.relevance)
    once, accounted = (explainer(x, 0, layers=["*"], ledger=ledger) for ledger in (False, True))
    for layer, expected in accounted.layers.items():
        torch.testing.assert_close(once.layers[layer], expected)


@pytest.mark.filterwarnings("ignore::relprop.errors.VanishingWarning")
def test_sums_of_exactly_zero_pass_nothing_on():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 64, bias=False), nn.Linear(64, 2)).eval()
    net[0].weight.data = torch.randn(64, 1) * torch.tensor([1.0, -1.0])
    for epsilon in (1e-6, 0.3):
        recipe = relprop.Recipe.preset("epsilon", epsilon=epsilon)
        found = relprop.explain(net, torch.ones(1, 2), recipe, target=0)
        assert torch.equal(found.relevance, torch.zeros(1, 2))


def test_cached_weights_are_not_overwritten():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    recipe = relprop.Recipe.preset("zero").using("0", "w-squared").using("2", "w-squared")
    explainer, x = relprop.Explainer(net.eval(), recipe), torch.randn(1, 8)
    assert torch.equal(explainer(x, 0).relevance, explainer(x, 0).relevance)
