"""Threads, precisions, devices, and explanations that are differentiated again."""

import gc
import threading
import types
import weakref
from functools import cache

import pytest
import torch
from helpers.networks import Residual, pixels, randomise, signed, small_cnn
from torch import Tensor, nn

import relprop
from relprop import Recipe


class Transformer(nn.Module):
    """Attention, layer norm, a gated product and a softmax in one small model."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, activation="gelu")
        self.gate, self.value, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x):  # (batch, length, 8)
        h = self.layer(x)
        h = nn.functional.silu(self.gate(h)) * self.value(h)
        return self.head((h * h[..., :1].softmax(1)).sum(1))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(8, 5, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, 3)

    def forward(self, x):  # (batch, length, 8)
        return self.head(self.layer(x)[0][:, -1])


def convolutional() -> nn.Module:
    block = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU())
    return nn.Sequential(
        *(nn.Conv2d(2, 3, 3), nn.ReLU(), Residual(block), nn.AvgPool2d(2), nn.Flatten()),
        nn.Linear(75, 3),
    )


MODELS = {
    "convolutional": (convolutional, (2, 12, 12)),
    "transformer": (Transformer, (5, 8)),
    "recurrent": (Recurrent, (4, 8)),
}
CASES = [
    ("convolutional", "zero"),
    ("convolutional", "epsilon"),
    ("convolutional", "epsilon-plus-flat"),
    ("convolutional", "epsilon-gamma-box"),
    ("convolutional", "epsilon-alpha2-beta1"),
    ("transformer", "attnlrp"),
    ("transformer", "cp-lrp"),
    ("recurrent", "epsilon"),
]


def build(name: str) -> tuple[nn.Module, torch.Tensor]:
    make, shape = MODELS[name]
    return randomise(make()).double(), signed(2, *shape)


def recipe(preset: str) -> Recipe:
    return Recipe.preset(preset, **({"low": -4.0, "high": 4.0} if "box" in preset else {}))


@cache
def captured(name: str, dtype: torch.dtype) -> relprop.Explainer:
    """An explainer that tests share, since capturing a model takes longer than explaining it."""
    return relprop.Explainer(build(name)[0].to(dtype))


def explainer_of(
    name: str, preset: str, dtype: torch.dtype = torch.float64
) -> tuple[relprop.Explainer, torch.Tensor]:
    """Return an explainer of a model in this dtype, and an input."""
    return captured(name, dtype).with_recipe(recipe(preset)), build(name)[1].to(dtype)


@pytest.mark.parametrize(("name", "preset"), CASES)
def test_relevance_is_differentiated_by_input_and_parameters(name, preset):
    model, x = build(name)
    explainer = relprop.Explainer(model, recipe(preset))
    weights = torch.linspace(-1, 1, x.numel(), dtype=x.dtype).reshape(x.shape).cos()

    def score(e: relprop.Explanation) -> torch.Tensor:
        return (e.relevance * weights).sum()

    leaf = x.clone().requires_grad_()
    parameters = list(model.parameters())
    e = explainer(leaf, target=1, create_graph=True)
    torch.testing.assert_close(e.relevance.detach(), explainer(x, target=1).relevance)
    gradients = torch.autograd.grad(score(e), [leaf, *parameters], allow_unused=True)
    gradients = [
        torch.zeros_like(p) if g is None else g
        for p, g in zip([x, *parameters], gradients, strict=True)
    ]
    for tensor, gradient in zip([x, *parameters], gradients, strict=True):
        if not bool(gradient.any()) and tensor is not x:
            continue
        along = torch.linspace(0, 2, tensor.numel(), dtype=x.dtype).reshape(tensor.shape).sin()
        ends = []
        for step in (1e-6, -1e-6):
            with torch.no_grad():
                tensor.add_(step * along)
                ends.append(score(explainer(x, target=1)))
                tensor.sub_(step * along)
        expected = (ends[0] - ends[1]) / 2e-6
        torch.testing.assert_close((gradient * along).sum(), expected, rtol=2e-4, atol=1e-5)


def test_without_create_graph_there_is_no_autograd_graph():
    model, x = build("transformer")
    e = relprop.explain(model, x.requires_grad_())
    assert not e.relevance.requires_grad
    assert not e.output.requires_grad


@pytest.mark.parametrize(("name", "preset"), CASES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_models_of_other_precisions(name, preset, dtype):
    double, x = explainer_of(name, preset)
    explainer, rounded = explainer_of(name, preset, dtype)
    want, got = double(x, target=1).relevance, explainer(rounded, target=1).relevance
    assert got.dtype is dtype
    close = {torch.bfloat16: 0.25, torch.float32: 1e-4}[dtype]
    assert (got.double() - want).norm() < close * want.norm()


def runs(model: nn.Module, x: Tensor, dtype: torch.dtype) -> bool:
    """Tell whether torch itself can run the model under autocast."""
    with torch.autocast("cpu", dtype=dtype):
        try:
            model(x)
        except RuntimeError:
            return False
    return True


@pytest.mark.parametrize(("name", "preset"), CASES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(name, preset, dtype):
    """The output is that of the model under autocast; relevance nearly that of full precision."""
    explainer, x = explainer_of(name, preset, torch.float32)
    model = explainer.model
    if name == "recurrent" and not runs(model, x, dtype):
        pytest.skip(f"torch has no LSTM in {dtype} for this processor")
    want = explainer(x, target=1).relevance
    with torch.autocast("cpu", dtype=dtype):
        e = explainer(x, target=1, ledger=True)
        torch.testing.assert_close(e.output, model(x).detach(), rtol=0.1, atol=0.1)
        assert e.output.dtype is model(x).dtype
    assert e.relevance.dtype is torch.float32
    close = {torch.bfloat16: 0.2, torch.float16: 0.05}[dtype]
    assert (e.relevance - want).norm() < close * want.norm()
    assert explainer(x, target=1).relevance.equal(want)


@pytest.mark.parametrize("preset", ["epsilon", "epsilon-plus", "epsilon-plus-flat"])
@pytest.mark.parametrize(("layer", "size"), [(nn.Conv2d, 4), (nn.ConvTranspose2d, 12)])
def test_relevance_per_unit_of_a_sum_may_be_too_large_for_float16(preset, layer, size):
    """It is, where sums are small and the weights of the next layer large."""
    torch.manual_seed(0)
    first, second = (layer(3, 8, 3, bias=False), layer(8, 8, 3, bias=False))
    model = nn.Sequential(
        *(first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), nn.Linear(8 * size**2, 3))
    ).eval()
    with torch.no_grad():
        first.weight.mul_(1e-3)
        second.weight.mul_(1e5)
        model[-1].weight.mul_(100)
    x = torch.rand(2, 3, 8, 8)
    want = relprop.explain(model, x, preset, target=1).relevance
    with torch.autocast("cpu", torch.float16):
        got = relprop.explain(model, x, preset, target=1).relevance
    assert got.dtype is torch.float32
    assert (got - want).norm() < 0.05 * want.norm()


@pytest.mark.parametrize(("name", "preset"), CASES)
def test_nothing_is_allocated_on_the_default_device(name, preset):
    """A call allocates on the device of x: tensors on the default device, meta, have no numbers."""
    usual, x = explainer_of(name, preset)
    elsewhere = relprop.Explainer(usual.model, recipe(preset))
    for target in (None, 1, "all", "runner-up", (0, 1)):
        for ledger in (True, False):
            want = usual(x, target, ledger=ledger)
            with torch.device("meta"):
                got = elsewhere(x, target, ledger=ledger)
            assert got.relevance.equal(want.relevance)
            assert got.target.equal(want.target)


def test_channels_are_selected_on_the_device_of_the_value():
    model, x = build("convolutional")
    want = relprop.Explainer(model)(x, conditions={"0": [0, 1]}, batch_size=2).relevance
    with torch.device("meta"):
        got = relprop.Explainer(model)(x, conditions={"0": [0, 1]}, batch_size=2).relevance
    assert got.equal(want)


def around(forward):
    return lambda self, x: forward(x)


def test_a_model_is_not_kept_alive_by_a_forward_of_its_own():
    model, x = build("convolutional")
    model.forward = types.MethodType(around(model.forward), model)
    relprop.explain(model, x)
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize("name", MODELS)
def test_eight_threads_give_the_numbers_of_one(name):
    model, x = build(name)
    explainer = relprop.Explainer(model)
    batches = [x * (1 + 0.1 * i) for i in range(8)]
    want = [relprop.Explainer(model)(batches[0]).relevance] + [None] * 7
    got: list[torch.Tensor | None] = [None] * 8
    start = threading.Barrier(8)

    def work(i: int) -> None:
        start.wait()
        for _ in range(3):
            got[i] = explainer(batches[i], ledger=True).relevance

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    want[1:] = [explainer(batch).relevance for batch in batches[1:]]
    for relevance, expected in zip(got, want, strict=True):
        assert relevance.equal(expected)


def test_the_model_may_be_frozen():
    """Torch's transformer layers have a fast path where no parameter requires a gradient."""
    model, x = build("transformer")
    want = relprop.explain(model, x).relevance
    assert relprop.explain(model.requires_grad_(False), x).relevance.equal(want)


def test_under_inference_mode():
    model, x = randomise(small_cnn()), pixels(2, 2, 12, 12).float()
    want = relprop.explain(model, x).relevance
    with torch.inference_mode():
        assert relprop.explain(model, x * 1).relevance.equal(want)
