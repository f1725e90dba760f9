"""What rules cost, in passes and memory, and which shares can be run."""

import copy
from collections.abc import Iterable

import pytest
import torch
from helpers.counters import flops
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from zoo import ZOO

import relprop
from relprop.errors import RuleError
from relprop.explanation.memory import peak_bytes
from relprop.rules.executor import run_shares
from relprop.rules.linear import NEGATIVE, POSITIVE, SAME_SIGN
from relprop.rules.shares import (
    ONE,
    ONES,
    W_MAGNITUDE,
    W_NEGATIVE,
    W_POSITIVE,
    W_SQUARED,
    X_MAGNITUDE,
    Bound,
    Share,
    W,
    X,
)

# ---- passes and memory ---------------------------------------------------------------------------


def passes(rule: str, signed: bool, **parameters: object) -> float:
    """Measure the cost of a rule at one layer, in forward passes of that layer.

    A backward pass to the input costs as much as a forward pass.
    """
    torch.manual_seed(0)
    first = nn.Identity() if signed else nn.ReLU()
    model = nn.Sequential(first, nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 2))
    recipe = relprop.Recipe.preset("zero").using("1", rule, **parameters)
    explainer, x = relprop.Explainer(model.eval(), recipe), torch.randn(4, 8, 8, 8)
    explainer(x)  # computes constants and derived weights
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
    """Records whether the operands of convolutions and max pools are channels-last."""

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
def test_images_are_convolved_channels_last(channels, rule):
    """Channels-last is faster, unless one operand is in another memory format and is copied."""
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
        explanation = explainer(x)
    assert len(layouts.forward) >= 3
    assert len(layouts.backward) >= 8
    assert all(layouts.forward)
    assert all(layouts.backward)
    assert explanation.relevance.is_contiguous()


class DerivedWeights(TorchDispatchMode):
    """Records weights of convolutions that are not among these tensors."""

    def __init__(self, known: Iterable[Tensor]) -> None:
        super().__init__()
        self.known = {tensor.data_ptr() for tensor in known}
        self.weights: list[Tensor] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        place = {"aten.convolution": 1, "aten.convolution_backward": 2}.get(
            str(func.overloadpacket)
        )
        if place and args[place].data_ptr() not in self.known:
            self.weights.append(args[place])
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
def test_derived_weights_are_channels_last_too(rule, parameters, normed):
    """Torch would copy weights of another memory format in each pass."""
    norm = nn.BatchNorm2d(8) if normed else nn.Identity()
    model = nn.Sequential(nn.Conv2d(4, 8, 3), norm, nn.ReLU(), nn.Flatten(), nn.Linear(128, 2))
    recipe = relprop.Recipe.preset("zero").using("0", rule, **parameters)
    explainer, x = relprop.Explainer(model.eval(), recipe), torch.randn(3, 4, 6, 6)
    explainer(x)
    with DerivedWeights(model.parameters()) as recorded:
        explainer(x)
    assert recorded.weights
    assert all(weight.stride(1) == 1 for weight in recorded.weights)


def gradient_times_input(model: nn.Module, x: Tensor) -> None:
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf).amax(1).sum(), leaf)
    _ = gradient * x


@pytest.mark.slow
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


def test_a_batch_norm_needs_no_second_copy_of_the_weight():
    size = 1000
    model = nn.Sequential(nn.Linear(size, size), nn.BatchNorm1d(size), nn.ReLU()).eval()
    x = torch.randn(2, size)
    assert peak_bytes(lambda: relprop.explain(model, x, "epsilon")) < model[0].weight.nbytes / 2


@pytest.mark.parametrize(
    "shares",
    [
        (2.0 * Share(X * W),),
        (0.5 * Share(X * W), 0.5 * Share(POSITIVE)),
        (Share(X * W, bias=False),),
        (Share(POSITIVE + 0.5 * NEGATIVE),),
        (Share(POSITIVE, stabiliser=0.5),),
        (Share(POSITIVE, bias=False),),
        (Share(X_MAGNITUDE * W_MAGNITUDE),),
        (Share(2.0 * (X * W) + SAME_SIGN),),
        (Share(X * W + SAME_SIGN.times_sign_of_output()),),
        (Share(X * W + SAME_SIGN + SAME_SIGN),),
        (Share(ONE * W_SQUARED + ONE * ONES),),
        (Share(ONE * W_SQUARED, bias=False),),
        (Share(X * W - Bound(0.0) * W_POSITIVE - Bound(1.0) * W_NEGATIVE),),
        (Share(X * W - Bound(0.0) * W_POSITIVE, bias=False),),
        (Share(POSITIVE), Share(POSITIVE)),
    ],
)
def test_shares_of_another_form_are_refused(shares):
    """They are never run as if they were the built-in ones that they resemble."""
    with pytest.raises(RuleError, match="no way to run"):
        run_shares(shares, None)
