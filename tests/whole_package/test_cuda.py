"""On a CUDA device: the relevance of a CPU, compiled, under autocast and from a loader."""

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import pytest
import torch
from helpers.networks import pixels, randomise
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import relprop

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning"
    ),  # raised by modules that torch.compile imports
    pytest.mark.filterwarnings(
        "ignore:.*TensorFloat32:UserWarning"
    ),  # torch recommends TensorFloat32
]

RECIPES = [
    relprop.Recipe.preset(name, **({"low": 0.0, "high": 1.0} if name.endswith("-box") else {}))
    for name in ("epsilon", "epsilon-plus-flat", "epsilon-gamma-box", "epsilon-alpha2-beta1-flat")
]


def convolutional() -> nn.Module:
    """Convolutions with and without batch norm, max and average pooling."""
    return randomise(
        nn.Sequential(
            *(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2)),
            *(nn.Flatten(), nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 3)),
        )
    )


class Text(nn.Module):
    """Scores of a text by a transformer layer or a recurrent layer."""

    def __init__(self, recurrent: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, norm_first=True)
        self.reader = nn.LSTM(8, 8, batch_first=True, bidirectional=True) if recurrent else None
        self.head = nn.Linear(16 if recurrent else 8, 3)

    def forward(self, ids: Tensor) -> Tensor:
        """Texts (batch, length) -> scores (batch, 3)."""
        h = self.embedding(ids)
        h = self.encoder(h) if self.reader is None else self.reader(h)[0]
        return self.head(h.mean(1))


def cases() -> dict[str, tuple[nn.Module, Tensor, object]]:
    """Return models by name, each with its input and recipe, on the CPU in float64."""
    ids = torch.arange(35).reshape(5, 7) * 3 % 20
    models = {
        f"images-{i}": (convolutional().double(), pixels(5, 1, 12, 12), recipe)
        for i, recipe in enumerate(RECIPES)
    }
    for recurrent in (False, True):
        model = randomise(Text(recurrent)).double()
        models[f"text-{recurrent}"] = model, ids, "auto"
    return models


@pytest.mark.parametrize("name", cases())
@pytest.mark.parametrize("target", [None, 1, "all", (0, 2)])
def test_relevance_is_that_of_the_cpu(name, target):
    model, x, recipe = cases()[name]
    want = relprop.Explainer(model, recipe)(x, target, ledger=True)
    got = relprop.Explainer(deepcopy(model).cuda(), recipe)(x.cuda(), target, ledger=True)
    assert got.relevance.device.type == "cuda"
    torch.testing.assert_close(got.relevance.cpu(), want.relevance, rtol=1e-9, atol=1e-12)
    assert want.relevance.abs().max() > 0.01
    assert max(ledger.error for ledger in got.ledgers) < 1e-9


@pytest.mark.parametrize("name", cases())
def test_several_classes_share_a_backward_pass(name):
    model, x, recipe = cases()[name]
    explainer = relprop.Explainer(model.cuda(), recipe)
    together = explainer(x.cuda(), "all").relevance
    for k in range(3):
        one = explainer(x.cuda(), k).relevance
        torch.testing.assert_close(together[:, k], one, rtol=1e-9, atol=1e-12)


def test_a_bound_for_each_channel():
    low, high = torch.full((1, 1, 1), -0.5), torch.full((1, 1, 1), 1.5)
    recipe = relprop.Recipe.preset("epsilon-gamma-box", low=low, high=high)
    model, x = convolutional().double(), pixels(2, 1, 12, 12)
    want = relprop.explain(model, x, recipe).relevance
    got = relprop.explain(deepcopy(model).cuda(), x.cuda(), recipe).relevance
    torch.testing.assert_close(got.cpu(), want, rtol=1e-9, atol=1e-12)


# ---- compiled ------------------------------------------------------------------------------------


def same(got: relprop.Explanation, want: relprop.Explanation) -> None:
    """Compare within the rounding of float32 that another order of sums causes."""
    torch.testing.assert_close(got.relevance, want.relevance, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(got.output, want.output, rtol=1e-4, atol=1e-5)
    assert torch.equal(got.target, want.target)


@pytest.mark.parametrize("name", ["images-2", "text-False", "text-True"])
def test_a_cuda_graph_follows_inputs_targets_and_weights(name):
    model, x, recipe = cases()[name]
    model = model.float().cuda()
    x = x.cuda() if x.dtype is torch.long else x.float().cuda()
    eager, compiled = (relprop.Explainer(model, recipe, compile=c) for c in (False, True))
    for batch in (x, x, x.flip(0), x[:3], x[:3].flip(0), x, x[:1], x[:1], x[1:2]):
        same(compiled(batch), eager(batch))
    labels = torch.arange(5) % 3
    same(compiled(x, labels), eager(x, labels))
    same(compiled(x, 2, initial="one"), eager(x, 2, initial="one"))
    with torch.no_grad():
        model.get_parameter(next(iter(model.state_dict()))).mul_(-1.1)
    same(compiled(x), eager(x))
    for parameter in model.parameters():  # new storage for each
        parameter.data = 1.05 * parameter.data
    for _ in range(3):
        same(compiled(x), eager(x))


def test_results_of_a_cuda_graph_are_not_overwritten():
    model, x = convolutional().cuda(), pixels(4, 1, 12, 12).float().cuda()
    compiled = relprop.Explainer(model, RECIPES[0], compile=True)
    maps = [compiled(x).relevance for _ in range(3)]
    before = maps[2].clone()
    other = compiled(x + 1).relevance
    assert not torch.equal(other, before)
    assert torch.equal(maps[2], before)


def test_threads_share_a_cuda_graph():
    model, x = convolutional().cuda(), pixels(8, 1, 12, 12).float().cuda()
    compiled = relprop.Explainer(model, RECIPES[1], compile=True)
    want = [compiled(x.roll(i, 0)).relevance for i in range(8)]

    def explained(i: int) -> Tensor:
        with torch.cuda.stream(torch.cuda.Stream()):
            relevance = compiled(x.roll(i, 0)).relevance
            torch.cuda.current_stream().synchronize()
            return relevance

    torch.cuda.synchronize()
    with ThreadPoolExecutor(4) as pool:
        for got, expected in zip(pool.map(explained, list(range(8)) * 5), want * 5, strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


# ---- autocast ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", cases())
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("compiled", [False, True])
def test_autocast_gives_the_same_relevance_at_its_precision(name, dtype, compiled):
    model, x, recipe = cases()[name]
    # rounding makes values equal, of which a max pool may take either
    if name.startswith("images"):
        model[3] = nn.AvgPool2d(2)
    want = relprop.explain(model, x, recipe, target=1).relevance
    model = model.float().cuda()
    x = x.cuda() if x.dtype is torch.long else x.float().cuda()
    explainer = relprop.Explainer(model, recipe, compile=compiled)
    for _ in range(3 if compiled else 1):
        with torch.autocast("cuda", dtype):
            e = explainer(x, 1)
        assert (e.output.dtype, e.relevance.dtype) == (dtype, torch.float32)
        far = (e.relevance.cpu().double() - want).norm() / want.norm()
        assert far < (0.1 if dtype is torch.bfloat16 else 0.02)


def test_a_model_in_bfloat16():
    model, x, recipe = cases()["text-False"]
    want = relprop.explain(model, x, recipe, target=1).relevance
    e = relprop.explain(model.bfloat16().cuda(), x.cuda(), recipe, target=1)
    assert (e.relevance.cpu().double() - want).norm() / want.norm() < 0.1


# ---- a data set ----------------------------------------------------------------------------------


@pytest.mark.parametrize("compiled", [False, True])
def test_a_loader_whose_batches_are_copied_asynchronously(compiled):
    model, x = convolutional().cuda(), pixels(100, 1, 12, 12).float()
    labels = torch.arange(100) % 3
    explainer = relprop.Explainer(model, RECIPES[1], compile=compiled)
    want = explainer(x.cuda(), labels.cuda()).relevance
    for pinned in (False, True):
        loader = DataLoader(TensorDataset(x, labels), 8, pin_memory=pinned)
        explanations = explainer.map(
            loader, prepare=lambda batch: (batch[0], batch[1]), progress=False
        )
        got = torch.cat([e.relevance for e in explanations])
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


def test_memory_limits_the_samples_at_a_time():
    model, x = convolutional().double().cuda(), pixels(64, 1, 12, 12).cuda()
    explainer = relprop.Explainer(model, RECIPES[0])
    want = explainer(x).relevance
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    got = explainer(x, memory=2**18).relevance
    assert torch.cuda.max_memory_allocated() - before < 2**19  # inputs and all relevance included
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-12)
