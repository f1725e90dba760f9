"""A third size needs no capture: relevance is that of a capture of this size alone."""

import gc
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from helpers.networks import randomise
from helpers.open_sizes import Encoder, Pictures, Windows, ids, picture, sequence, series
from torch import nn

import relprop
from relprop.capture import export


class Branching(nn.Module):
    """Does another thing beyond a length."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        h = self.layer(x)
        return self.head((h.relu() if x.shape[1] > 6 else h.tanh()).mean(1))


MODELS = {
    "mean of tokens": (Encoder(lambda h: h.mean(1)), ids, (5, 9, 3, 12, 31)),
    "first token": (Encoder(lambda h: h[:, 0]), ids, (5, 9, 3, 12)),
    "last token": (Encoder(lambda h: h[:, -1]), ids, (5, 9, 3, 12)),
    "last two": (Encoder(lambda h: h[:, -2:].sum(1)), ids, (5, 9, 4, 12)),
    "all but the first": (Encoder(lambda h: h[:, 1:].sum(1)), ids, (5, 9, 3, 12)),
    "every second": (Encoder(lambda h: h[:, ::2].sum(1)), ids, (5, 9, 4, 12)),
    "beyond the sixth": (Encoder(lambda h: h[:, 6:].sum(1)), ids, (8, 9, 12, 16)),
    "every third": (Encoder(lambda h: h[:, ::3].sum(1)), ids, (5, 9, 4, 13)),
    "between": (Encoder(lambda h: h[:, 1:-6].sum(1)), ids, (8, 9, 10, 14)),
    "pictures": (Pictures(), picture, (12, 17, 20, 14)),
    "windows": (Windows(), series, (8, 16, 24, 12)),
}


@pytest.mark.parametrize("recipe", ["epsilon", "attnlrp", "epsilon-plus"])
@pytest.mark.parametrize("name", MODELS)
def test_relevance_at_a_third_size_is_that_of_a_capture_of_its_own(name, recipe, captures):
    model, make, sizes = MODELS[name]
    model = randomise(model).double().eval()
    explainer = relprop.Explainer(model, recipe)
    found = {size: explainer(make(size), target=1, ledger=True) for size in sizes}
    assert len(captures) == 2
    assert captures[1] != []
    for size in sizes:
        alone = relprop.Explainer(model, recipe)(make(size), target=1, ledger=True)
        e = found[size]
        torch.testing.assert_close(e.relevance, alone.relevance, rtol=1e-9, atol=1e-12)
        assert_same_ledgers(e, alone)
        pruned = explainer(make(size), target=1)  # without the ledger: at the tokens that are read
        torch.testing.assert_close(pruned.relevance, alone.relevance, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["last token", "windows"])
def test_another_recipe_begins_at_any_size(name, captures):
    model, make, (first, second, third, *_) = MODELS[name]
    model = randomise(model).double().eval()
    explainer = relprop.Explainer(model, "epsilon")
    for size in (first, second):
        explainer(make(size))
    e = explainer.with_recipe("gamma")(make(third), target=1, ledger=True)
    assert len(captures) == 2
    alone = relprop.Explainer(model, "gamma")(make(third), target=1, ledger=True)
    torch.testing.assert_close(e.relevance, alone.relevance, rtol=1e-9, atol=1e-12)
    assert_same_ledgers(e, alone)


def assert_same_ledgers(e, alone):
    for one, other in zip(e.ledger.entries, alone.ledger.entries, strict=True):
        torch.testing.assert_close(one.relevance_out, other.relevance_out, rtol=1e-9, atol=1e-12)


class Messages(nn.Module):
    """Nodes add up what they are sent along edges, whose ends are arguments without a batch."""

    def __init__(self):
        super().__init__()
        self.send, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x, start, end):
        sent = self.send(x)[:, start].relu()
        return self.head((x + torch.zeros_like(x).index_add(1, end, sent)).mean(1))


def test_the_number_of_edges_is_open_and_is_no_batch_size(captures):
    model = randomise(Messages()).double().eval()
    explainer = relprop.Explainer(model, "epsilon")
    for edges in (5, 7, 4, 9):
        start, end = torch.arange(edges) % 6, torch.arange(edges) * 5 % 6
        x = {"x": sequence(6), "start": start, "end": end}
        e = explainer(x, target=0, ledger=True)
        alone = relprop.Explainer(model, "epsilon")(x, target=0, ledger=True)
        torch.testing.assert_close(e.relevance, alone.relevance, rtol=1e-9, atol=1e-12)
        assert_same_ledgers(e, alone)
    graph = explainer.plan(x).graph
    assert [node.shape for node in graph.nodes if node.operation == "relu"] == [(None, 7, 4)]
    assert [one for one in captures if one] == [[("end", 0), ("start", 0)]]


def test_a_branch_on_a_size_is_captured_on_both_sides(captures):
    model = randomise(Branching()).double().eval()
    explainer = relprop.Explainer(model, "epsilon")
    for length in (4, 5, 3, 8, 9, 6, 20):
        e = explainer(sequence(length), target=0)
        alone = relprop.Explainer(model, "epsilon")(sequence(length), target=0)
        torch.testing.assert_close(e.relevance, alone.relevance, rtol=1e-9, atol=1e-12)
    assert len([one for one in captures if one]) == 2  # up to 6, and beyond
    assert "x.shape[1]" in str(explainer.plan(sequence(20))).splitlines()[1]


def test_a_plan_says_which_sizes_it_is_for():
    model = randomise(Encoder(lambda h: h.mean(1))).eval()
    explainer = relprop.Explainer(model, "epsilon")
    assert "sizes" not in str(explainer.plan(ids(5)))
    explainer.plan(ids(9))
    line = str(explainer.plan(ids(7))).splitlines()[1]
    assert line == "sizes: any ids.shape[1]; where ids.shape[1] >= 2"


class Recurrent(nn.Module):
    """torch.export fixes the length of an LSTM."""

    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.LSTM(4, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


def test_a_size_that_the_code_fixes_is_captured_each_time_and_the_plan_says_so(captures):
    model = randomise(Recurrent()).double().eval()
    explainer = relprop.Explainer(model, "epsilon")
    for length in (4, 5, 6):
        e = explainer(sequence(length), target=0)
        alone = relprop.Explainer(model, "epsilon")(sequence(length), target=0)
        torch.testing.assert_close(e.relevance, alone.relevance, rtol=1e-9, atol=1e-12)
    assert "x.shape[1] = 5, fixed by torch/nn/modules/rnn.py" in str(explainer.plan(sequence(5)))
    assert [one for one in captures if one] == [[("x", 1)]]


def test_where_open_sizes_take_too_long_each_is_captured_by_itself(monkeypatch, captures):
    monkeypatch.setattr(export, "_MOST_SECONDS", 0)
    explainer = relprop.Explainer(randomise(Encoder(lambda h: h.mean(1))).eval(), "epsilon")
    for length in (4, 5, 6):
        explainer(ids(length))
    assert captures == [[], [("ids", 1)], [], []]
    for length in (5, 6):
        assert "fixed by torch.export, which takes over 0 s" in str(explainer.plan(ids(length)))


def test_two_inputs_change_each_in_its_own_sizes(captures):
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 3), nn.Linear(4, 3)

        def forward(self, x, y):
            return self.a(x).mean(1) + self.b(y).mean(1)

    model = randomise(Both()).double().eval()
    explainer = relprop.Explainer(model, "epsilon")
    for a, b in ((3, 4), (5, 4), (5, 7), (6, 8)):
        x = {"x": sequence(a), "y": sequence(b)}
        e = explainer(x, target=0, explain=("x", "y"))
        alone = relprop.Explainer(model, "epsilon")(x, target=0, explain=("x", "y"))
        for label in ("x", "y"):
            torch.testing.assert_close(e.relevances[label], alone.relevances[label])
    opened = [one for one in captures if one]
    assert opened == [[("x", 1)], [("x", 1), ("y", 1)]]


def test_eight_threads_with_eight_lengths(captures):
    model = randomise(Encoder(lambda h: h.mean(1))).double().eval()
    explainer, lengths = relprop.Explainer(model, "epsilon"), range(3, 11)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: explainer(ids(n), target=1).relevance, [*lengths] * 2))
    assert len(captures) == 2
    for n, relevance in zip([*lengths] * 2, found, strict=True):
        alone = relprop.Explainer(model, "epsilon")(ids(n), target=1).relevance
        torch.testing.assert_close(relevance, alone, rtol=1e-9, atol=1e-12)


def test_a_saved_plan_with_open_sizes_holds_for_others(tmp_path, captures):
    model = randomise(Encoder(lambda h: h[:, -1])).double().eval()
    explainer = relprop.Explainer(model, "epsilon")
    for length in (5, 9, 12):
        explainer.plan(ids(length))
    explainer.save(tmp_path / "encoder.plans")
    loaded = relprop.Explainer.load(tmp_path / "encoder.plans", model)
    captures.clear()
    for length in (7, 5, 20):
        e = loaded(ids(length), target=1)
        expected = explainer(ids(length), target=1)
        torch.testing.assert_close(e.relevance, expected.relevance, rtol=1e-9, atol=1e-12)
    assert captures == []


def count_tensors():
    """Count the tensors that Python holds, those in the same memory once."""
    gc.collect()
    tensors = [one for one in gc.get_objects() if type(one) in (torch.Tensor, nn.Parameter)]
    return len({tensor.untyped_storage().data_ptr() for tensor in tensors})


@pytest.mark.parametrize("recipe", ["epsilon-plus-flat", "epsilon-gamma-box"])
def test_memory_stays_the_same_over_500_sizes(recipe):
    """What is derived from weights for one size of pictures is kept for a few of them alone."""
    bounds = {"low": -3.0, "high": 3.0} if recipe.endswith("box") else {}
    explainer = relprop.Explainer(
        randomise(Pictures()).double().eval(), relprop.Recipe.preset(recipe, **bounds)
    )
    sizes = [(height, width) for width in range(8, 28) for height in range(8, 33)]
    largest = torch.ones(2, 2, 32, 27, dtype=torch.float64)
    held = []
    for i, (height, width) in enumerate(sizes, 1):
        explainer(largest[:, :, :height, :width], target=0)
        if i in (100, 300, 500):
            held.append(count_tensors())
    first, second, third = held
    assert min(second - first, third - second) <= 0  # what grows with the sizes grows in both
