"""What rules cost: passes over a layer, memory of the way back, and memory that is used again."""

import copy
from collections.abc import Iterable

import pytest
import torch
from helpers.counters import flops
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from zoo import ZOO

import relprop
from relprop.explanation.memory import peak_bytes

# ---- passes and memory ---------------------------------------------------------------------------


def passes(rule: str, signed: bool, **parameters: object) -> float:
    """What a rule costs at one layer, in units of that layer's forward pass.

    Its backward pass to the input costs as much. Inputs are >= 0, or of either sign.
    """
    torch.manual_seed(0)
    first = nn.Identity() if signed else nn.ReLU()
    model = nn.Sequential(first, nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 2))
    recipe = relprop.Recipe.preset("zero").using("1", rule, **parameters)
    explainer, x = relprop.Explainer(model.eval(), recipe), torch.randn(4, 8, 8, 8)
    explainer(x)  # constants and derived weights are made
    head = flops(lambda: model[4](torch.randn(4, 288)))
    layer = flops(lambda: model[1](x))
    return (flops(lambda: explainer(x)) - 2 * head) / layer


@pytest.mark.parametrize(
    ("rule", "parameters", "positive", "signed"),
    [
        ("zero", {}, 2, 2),
        ("epsilon", {}, 2, 2),
        ("z-plus", {}, 3, 5),
        ("gamma", {}, 3, 4),
        ("alpha-beta", {}, 4, 8),
        ("z-box", {"low": -3.0, "high": 3.0}, 3, 3),
        ("w-squared", {}, 2, 2),
        ("flat", {}, 1 + 1 / 64, 1 + 1 / 64),  # one channel in, one channel out
    ],
)
def test_a_rule_costs_as_few_passes_as_it_needs(rule, parameters, positive, signed):
    assert passes(rule, False, **parameters) == pytest.approx(positive, abs=0.15)
    assert passes(rule, True, **parameters) == pytest.approx(signed, abs=0.15)


class Layouts(TorchDispatchMode):
    """Notes the layouts in which convolutions get what they compute with."""

    def __init__(self) -> None:
        super().__init__()
        self.forward: list[bool] = []
        self.backward: list[bool] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.convolution.default:
            self.forward.append(args[0].stride(1) == 1)
        if func is torch.ops.aten.convolution_backward.default:
            self.backward += [tensor.stride(1) == 1 for tensor in args[:2]]
        if func.overloadpacket is torch.ops.aten.max_pool2d_with_indices_backward:
            self.backward.append(args[0].stride(1) == 1)
        return func(*args, **(kwargs or {}))


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="built without oneDNN")
@pytest.mark.parametrize(
    ("channels", "rule"), [(1, "zero"), (3, "zero"), (3, "gamma"), (3, "alpha-beta")]
)
def test_pictures_are_convolved_channels_last(channels, rule):
    """Which is faster, and as long as nothing is in another layout: that would be copied."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(channels, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 8, 1), nn.Tanh(), nn.Conv2d(8, 8, 2, groups=2), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(8 * 4, 3)),
    ).eval()
    x = torch.randn(4, channels, 12, 12)
    explainer = relprop.Explainer(model, rule)
    explainer(x)
    with Layouts() as layouts:
        found = explainer(x)
    assert len(layouts.forward) >= 3
    assert len(layouts.backward) >= 8
    assert all(layouts.forward)
    assert all(layouts.backward)
    assert found.relevance.is_contiguous()


class MadeWeights(TorchDispatchMode):
    """The weights of convolutions that are none of these tensors."""

    def __init__(self, known: Iterable[Tensor]) -> None:
        super().__init__()
        self.known = {tensor.data_ptr() for tensor in known}
        self.found: list[Tensor] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        place = {"aten.convolution": 1, "aten.convolution_backward": 2}.get(
            str(func.overloadpacket)
        )
        if place and args[place].data_ptr() not in self.known:
            self.found.append(args[place])
        return func(*args, **(kwargs or {}))


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="built without oneDNN")
@pytest.mark.parametrize(
    ("rule", "parameters"),
    [
        *(("z-plus", {}), ("gamma", {}), ("alpha-beta", {}), ("w-squared", {})),
        ("z-box", {"low": -3.0, "high": 3.0}),
    ],
)
@pytest.mark.parametrize("normed", [True, False], ids=["batch norm", "plain"])
def test_weights_that_rules_make_are_channels_last_too(rule, parameters, normed):
    """Torch would copy others in each pass."""
    norm = nn.BatchNorm2d(8) if normed else nn.Identity()
    model = nn.Sequential(nn.Conv2d(4, 8, 3), norm, nn.ReLU(), nn.Flatten(), nn.Linear(128, 2))
    recipe = relprop.Recipe.preset("zero").using("0", rule, **parameters)
    explainer, x = relprop.Explainer(model.eval(), recipe), torch.randn(3, 4, 6, 6)
    explainer(x)
    with MadeWeights(model.parameters()) as weights:
        explainer(x)
    assert weights.found
    assert all(weight.stride(1) == 1 for weight in weights.found)


def gradient_times_input(model: nn.Module, x: Tensor) -> None:
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf).amax(1).sum(), leaf)
    _ = gradient * x


@pytest.mark.parametrize(
    ("name", "recipe", "limit"),
    [("vgg11", "epsilon", 1.1), ("resnet18", "epsilon", 1.1), ("vgg11", "epsilon-plus-flat", 1.3)],
)
def test_memory_is_that_of_the_gradient(name, recipe, limit):
    model, x = ZOO[f"torchvision/{name}"].build()
    model.requires_grad_(False)
    explainer = relprop.Explainer(model, recipe)
    explainer(x)
    floor = peak_bytes(lambda: gradient_times_input(copy.deepcopy(model), x))
    assert peak_bytes(lambda: explainer(x)) <= limit * floor


def test_a_batch_norm_does_not_take_a_second_weight():
    size = 1000
    model = nn.Sequential(nn.Linear(size, size), nn.BatchNorm1d(size), nn.ReLU()).eval()
    x = torch.randn(2, size)
    assert peak_bytes(lambda: relprop.explain(model, x, "epsilon")) < model[0].weight.nbytes / 2


# ---- memory that is used again -------------------------------------------------------------------


class Blocks(nn.Module):
    """Blocks of a transformer without attention, and the same scores in another shape."""

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
def test_the_last_way_back_gives_what_the_others_give(blocks, name, parameters):
    recipe = relprop.Recipe.preset(name, **parameters)
    explainer, x = relprop.Explainer(blocks.double(), recipe), torch.randn(1, 32).double()
    first, second = explainer(x, 0), explainer(x, [0, 0, 1])
    for i in (0, 1):
        torch.testing.assert_close(first.relevance, second.relevance[:, i])
    torch.testing.assert_close(first.output, blocks(x), rtol=0, atol=0)
    assert torch.equal(explainer(x, 0).relevance, first.relevance)  # nothing kept was overwritten
    again = explainer(x, 0, recompute=True)
    torch.testing.assert_close(again.relevance, first.relevance)
    once, accounted = (explainer(x, 0, layers=["*"], ledger=ledger) for ledger in (False, True))
    for layer, expected in accounted.layers.items():
        torch.testing.assert_close(once.layers[layer], expected)


def test_sums_of_exactly_zero_pass_nothing_on():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 64, bias=False), nn.Linear(64, 2)).eval()
    net[0].weight.data = torch.randn(64, 1) * torch.tensor([1.0, -1.0])
    for epsilon in (1e-6, 0.3):
        recipe = relprop.Recipe.preset("epsilon", epsilon=epsilon)
        found = relprop.explain(net, torch.ones(1, 2), recipe, target=0)
        assert torch.equal(found.relevance, torch.zeros(1, 2))


def test_what_is_kept_of_weights_is_not_overwritten():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    recipe = relprop.Recipe.preset("zero").using("0", "w-squared").using("2", "w-squared")
    explainer, x = relprop.Explainer(net.eval(), recipe), torch.randn(1, 8)
    assert torch.equal(explainer(x, 0).relevance, explainer(x, 0).relevance)
