"""Large batches in parts, models recomputed in parts, and data sets as a stream."""

import itertools
import threading

import pytest
import torch
from helpers.networks import pixels
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from zoo import ZOO

import relprop
from relprop.errors import InputError
from relprop.explanation.memory import peak_bytes


class Deep(nn.Module):
    """Convolutions with ReLU, `depth` of them, and a head."""

    def __init__(self, depth: int = 3, width: int = 8) -> None:
        super().__init__()
        sizes = [1] + [width] * depth
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(sizes)
        )
        self.head = nn.Linear(width * 64, 4)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x).relu()
        return self.head(x.flatten(1))


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return Deep().eval()


def images(count: int) -> Tensor:
    return pixels(count, 1, 8, 8).float()


def same(one: relprop.Explanation, other: relprop.Explanation) -> None:
    torch.testing.assert_close(one.relevance, other.relevance)
    torch.testing.assert_close(one.output, other.output)
    torch.testing.assert_close(one.input, other.input, rtol=0, atol=0)
    assert torch.equal(one.target, other.target)
    assert torch.equal(one.prediction, other.prediction)


# ---- parts ---------------------------------------------------------------------------------------


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
        found = relprop.Explainer(model, "epsilon")(x, create_graph=True, **options)
        return torch.autograd.grad(found.relevance.square().sum(), x)[0]

    torch.testing.assert_close(slope(batch_size=2), slope())


class Turned(nn.Module):
    """Has samples in the last dimension for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.turn, self.last = nn.Linear(6, 4), Transposed(), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.turn(self.first(x)).t())


class Transposed(nn.Module):
    def forward(self, h: Tensor) -> Tensor:
        return h.t()


@pytest.mark.parametrize("size", [2, 4])  # of which 4 is by chance the size of that value, too
def test_a_layer_whose_output_begins_otherwise_is_not_put_together(size):
    explainer, x = relprop.Explainer(Turned().eval(), "zero"), torch.randn(5, 6)
    assert explainer(x, layers=["turn"]).layers["turn"].shape == (4, 5)
    with pytest.raises(InputError, match=r"at a layer, for \d samples in parts"):
        explainer(x, layers=["turn"], batch_size=size)


def test_as_many_samples_at_a_time_as_memory_allows(model):
    explainer, x = relprop.Explainer(model, "epsilon"), images(64)
    explainer(x)
    whole = peak_bytes(lambda: explainer(x))
    memory = whole // 4
    same(explainer(x), explainer(x, memory=memory))
    given = x.nbytes + 64 * 8 * 4  # the record holds all relevance, and some scores
    assert peak_bytes(lambda: explainer(x, memory=memory)) <= memory + given
    with pytest.raises(InputError, match=r"one sample needs .*\n.*at least"):
        explainer(x, memory=100)


def test_what_a_model_is_read_with_is_no_memory(model):
    first = peak_bytes(lambda: relprop.Explainer(model).plan(images(5)))
    assert type(first) is int  # tensors without numbers have sizes that are symbols
    assert peak_bytes(lambda: torch.ones(1000, device="meta")) == 0


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"batch_size": 2.5}, {"memory": True}])
def test_sizes_are_whole_numbers(model, wrong):
    with pytest.raises(InputError, match=r"a whole number (of bytes )?> 0"):
        relprop.Explainer(model)(images(2), **wrong)


def test_what_is_not_of_the_samples_is_told_of_the_whole_batch(model):
    explainer, x = relprop.Explainer(model), images(7)
    for target in (torch.zeros(3, dtype=torch.long), [0, (torch.zeros(3, dtype=torch.long), 1)]):
        with pytest.raises(InputError, match=r"of shape \(3,\) for a batch of 7"):
            explainer(x, target, batch_size=3)


class Shifted(nn.Module):
    """Adds a table to its input, in the order of its rows."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, x: Tensor, table: Tensor) -> Tensor:
        return self.layer(x + table.sum(0))


def test_what_samples_share_is_not_taken_for_samples_of_a_part():
    explainer, x = relprop.Explainer(Shifted().eval()), torch.randn(8, 6)
    for rows, fine, wrong in ((3, 4, 3), (2, 4, 3), (1, 2, None)):  # 8 are 3, 3 and 2
        given = {"x": x, "table": torch.randn(rows, 6)}
        same(explainer(given), explainer(given, batch_size=fine))
        if wrong:
            with pytest.raises(InputError, match=f'"table".* in parts of {wrong}'):
                explainer(given, batch_size=wrong)


# ---- recomputation -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["torchvision/resnet18", "torch/encoder", "torch/unet"])
def test_recomputation_changes_no_number(name):
    model, x = ZOO[name].build()
    explainer = relprop.Explainer(model)
    assert torch.equal(explainer(x).relevance, explainer(x, recompute=True).relevance)
    several = explainer(x, [0, 1], recompute=True).relevance
    torch.testing.assert_close(several, explainer(x, [0, 1]).relevance)


def test_recomputation_keeps_a_part_of_a_deep_model():
    torch.manual_seed(0)
    explainer, x = relprop.Explainer(Deep(depth=36).eval(), "epsilon"), images(8)
    explainer(x)
    whole, part = (peak_bytes(lambda r=r: explainer(x, recompute=r)) for r in (False, True))
    assert part <= 0.5 * whole


def test_recomputation_and_a_ledger_exclude_each_other(model):
    with pytest.raises(InputError, match="leave recompute out"):
        relprop.Explainer(model)(images(2), ledger=True, recompute=True)


# ---- streams -------------------------------------------------------------------------------------


def test_a_loader_is_explained_batch_by_batch(model, capsys):
    explainer, x = relprop.Explainer(model), images(10)
    labels = torch.arange(10) % 4
    loader = DataLoader(TensorDataset(x, labels), batch_size=4)
    found = list(explainer.map(loader))
    assert [len(e.output) for e in found] == [4, 4, 2]
    torch.testing.assert_close(torch.cat([e.relevance for e in found]), explainer(x).relevance)
    assert "explain: 3 batches" in capsys.readouterr().err
    found = list(explainer.map(loader, prepare=lambda b: (b[0], b[1]), progress=False))
    expected = explainer(x, labels).relevance
    torch.testing.assert_close(torch.cat([e.relevance for e in found]), expected)
    assert capsys.readouterr().err == ""


def test_the_next_batch_is_loaded_while_one_is_explained(model):
    loading, explaining = threading.Event(), threading.Event()

    def batches():
        yield images(2)
        assert explaining.wait(10)  # the first is out, and the consumer still holds it
        loading.set()
        yield images(2)

    stream = relprop.Explainer(model).map(batches(), progress=False)
    next(stream)
    explaining.set()
    assert loading.wait(10)
    assert len(list(stream)) == 1


def test_what_goes_wrong_in_a_loader_is_told(model):
    def batches():
        yield images(2)
        raise OSError("the disk is gone")

    stream = relprop.Explainer(model).map(batches(), progress=False)
    next(stream)
    with pytest.raises(OSError, match="the disk is gone"):
        next(stream)


def test_what_a_stream_cannot_do_is_told_before_it_is_read(model):
    explainer, x = relprop.Explainer(model), images(2)
    for batches, options, words in (
        (TensorDataset(x), {}, "batches of type TensorDataset"),
        ([x], {"batch_size": 0}, "batch_size is 0"),
        ([x], {"progress": "no"}, "progress is 'no'"),
        ([x], {"target": 1, "prepare": lambda b: (b, 0)}, "beside prepare"),
    ):
        with pytest.raises(InputError, match=words):
            explainer.map(batches, **options)
    with pytest.raises(TypeError, match="batchsize"):
        explainer.map([x], batchsize=1)
    with pytest.raises(InputError, match="prepare returned a Tensor"):
        next(explainer.map([x], prepare=lambda b: b, progress=False))
