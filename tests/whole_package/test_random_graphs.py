"""Random graphs of operations that the engine knows, held to what is true of every explanation.

`make fuzz` draws 300 of them; the tests take the first few.
"""

import os
import warnings
from collections.abc import Callable
from random import Random

import pytest
import torch
from helpers.close_maps import assert_same
from helpers.networks import randomise, signed
from torch import Tensor, nn
from torch.nn import functional as F

import relprop
from relprop.errors import AmplificationWarning, VanishingWarning

COUNT = int(os.environ.get("RELPROP_GRAPHS", "20"))
WIDTH, CLASSES, LIMIT = 6, 3, 1000.0

# Operations of one value (batch, WIDTH), and of two. Those of piecewise linear graphs come first.
PIECEWISE: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
    "relu6": F.relu6,
    "abs": torch.abs,
    "view": lambda h: h.view(-1, 2, 3).transpose(1, 2).flatten(1),
    "flip": lambda h: h.flip(1),
    "pool": lambda h: F.max_pool1d(h[:, None], 3, 1, 1)[:, 0],
    "average": lambda h: F.avg_pool1d(h[:, None], 3, 1, 1)[:, 0],
    "centre": lambda h: h - h.mean(1, keepdim=True),
    "roll": lambda h: torch.cat([h[:, 2:], h[:, :2]], 1),
    "cumsum": lambda h: h.cumsum(1) / WIDTH,
    "sort": lambda h: h.sort(1).values,
    "half": lambda h: h / 2 + h.amax(1, keepdim=True),
}
SMOOTH: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "silu": F.silu,
    "elu": F.elu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "exp": lambda h: (h / 4).exp(),
    "cos": torch.cos,
    "softmax": lambda h: h.softmax(1),
    "written softmax": lambda h: h.exp() / h.exp().sum(1, keepdim=True),
    "layer_norm": lambda h: F.layer_norm(h, (WIDTH,)),
    "rms": lambda h: h * (h.square().mean(1, keepdim=True) + 1e-3).rsqrt(),
}
OF_TWO: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b / 2,
    "maximum": torch.maximum,
}
PRODUCTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "gate": lambda a, b: a * b.sigmoid(),
    "product": lambda a, b: a * b / 2,
}


class RandomGraph(nn.Module):
    """A directed graph of operations: each reads one or two of the values before it."""

    def __init__(self, seed: int, smooth: bool) -> None:
        super().__init__()
        random = Random(seed)
        self.layers, self.steps = nn.ModuleList(), []
        ones = PIECEWISE | SMOOTH if smooth else PIECEWISE
        twos = OF_TWO | PRODUCTS if smooth else OF_TWO
        for count in range(1, random.randint(4, 9)):
            places = [random.randrange(count), random.randrange(count)]
            kind = random.choice(["linear", "one", "one", "two"])
            name = random.choice(sorted(ones if kind == "one" else twos))
            if kind == "linear":
                self.layers.append(nn.Linear(WIDTH, WIDTH))
                name = str(len(self.layers) - 1)
            self.steps.append((kind, name, places))
        self.inner, self.head = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for kind, name, (first, second) in self.steps:
            if kind == "linear":
                values.append(self.layers[int(name)](values[first]))
            elif kind == "one":
                values.append((PIECEWISE | SMOOTH)[name](values[first]))
            else:
                values.append((OF_TWO | PRODUCTS)[name](values[first], values[second]))
        return self.head(F.relu(self.inner(values[-1] + values[0])))


def drawn(seed: int, smooth: bool) -> tuple[nn.Module, Tensor]:
    return randomise(RandomGraph(seed, smooth).double(), seed), signed(4, WIDTH, seed=seed + 1)


@pytest.mark.filterwarnings("ignore::relprop.errors.VanishingWarning")
@pytest.mark.parametrize("seed", range(COUNT))
def test_a_piecewise_linear_graph_is_gradient_x_input(seed):
    """LRP-0 of it, whatever the order of its operations; nothing is absorbed but biases."""
    model, x = drawn(seed, smooth=False)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)
    e = relprop.explain(model, x, "zero", 1, ledger=True)
    torch.testing.assert_close(e.output, model(x), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(e.relevance, x * gradient, rtol=1e-9, atol=1e-9)
    assert e.ledger.error < 1e-9


@pytest.mark.parametrize("seed", range(COUNT))
def test_every_way_to_ask_gives_the_same(seed, tmp_path):
    """Alone, split, permuted, all targets, captured per input, from a saved plan."""
    model, x = drawn(1000 + seed, smooth=True)
    explainer = relprop.Explainer(model, Random(seed).choice(["auto", "epsilon", "attnlrp"]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        e = explainer(x, target=1, ledger=True)
    warned = any(issubclass(one.category, AmplificationWarning) for one in caught)
    assert warned == bool((e.amplification > LIMIT).any())
    torch.testing.assert_close(e.output, model(x), rtol=1e-12, atol=1e-12)
    assert e.ledger.error < 1e-9
    order = torch.tensor([2, 0, 3, 1])
    per_input = relprop.Explainer(model, explainer.recipe, capture="per-input")
    explainer.save(tmp_path / "graph.plans")
    loaded = relprop.Explainer.load(tmp_path / "graph.plans", model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AmplificationWarning)
        warnings.simplefilter("ignore", VanishingWarning)  # of one sample, whose units are all off
        assert_same(explainer(x, target=1).relevance, e.relevance)
        assert_same(explainer(x, target=1, batch_size=1).relevance, e.relevance)
        assert_same(explainer(x[order], target=1).relevance, e.relevance[order])
        assert_same(explainer(x[2:3], target=1).relevance, e.relevance[2:3])
        assert_same(explainer(x, target="all").relevance[:, 1], e.relevance)
        assert_same(per_input(x, target=1).relevance, e.relevance)
        assert_same(loaded(x, target=1).relevance, e.relevance)
