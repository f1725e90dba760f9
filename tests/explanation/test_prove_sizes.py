"""A program is compared with the model beyond the sizes that it was compared at, and only there."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from helpers.networks import randomise
from helpers.open_sizes import Pictures, ids, sequence
from torch import nn

import relprop
from relprop.errors import CaptureError, NumberError
from relprop.graph import prune

FACTOR = {"factor": 1.0, "length": 100}  # what a model reads that is not followed


class ReadsGlobal(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        return self.layer(x).sum(1) * FACTOR["factor"]


def test_what_a_model_does_otherwise_at_a_new_size_is_captured_for_it(monkeypatch, captures):
    model = randomise(ReadsGlobal()).double().eval()
    explainer = relprop.Explainer(model, "epsilon")
    for length in (4, 5, 6):
        explainer(sequence(length), target=0)
    assert len(captures) == 2
    monkeypatch.setitem(FACTOR, "factor", 3.0)
    e = explainer(sequence(7), target=0)
    alone = relprop.Explainer(model, "epsilon")(sequence(7), target=0)
    torch.testing.assert_close(e.relevance, alone.relevance, rtol=1e-9, atol=1e-12)
    assert captures[2:] == [[], []]  # of this size, and by the other explainer
    assert "fixed by ReadsGlobal does something else" in str(explainer.plan(sequence(7)))


def test_another_recipe_that_begins_where_the_model_does_otherwise_is_captured(monkeypatch):
    model = randomise(ReadsGlobal()).double().eval()
    explainer = relprop.Explainer(model, "epsilon")
    for length in (4, 5):
        explainer(sequence(length), target=0)
    monkeypatch.setitem(FACTOR, "factor", 3.0)
    e = explainer.with_recipe("epsilon-plus")(sequence(9), target=0)
    alone = relprop.Explainer(model, "epsilon-plus")(sequence(9), target=0)
    torch.testing.assert_close(e.relevance, alone.relevance, rtol=1e-9, atol=1e-12)


class Positioned(nn.Module):
    """Token ids with a table of ten positions; fails in its own way where a factor says so."""

    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(20, 4), nn.Embedding(10, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]) % int(FACTOR["length"]))
        return self.head(x.relu().mean(1))


def test_a_text_that_the_model_does_not_take_is_named_and_closes_no_size(captures):
    """Its error is the model's own; lengths that are open stay so."""
    model = randomise(Positioned()).double().eval()
    explainer = relprop.Explainer(model)
    for length in (4, 5, 6):
        explainer(ids(length))
    for options in ({}, {"ledger": True}):
        with pytest.raises(CaptureError, match=r'in "positions", on an input of shape \(2, 12\)'):
            explainer(ids(12), **options)
    with pytest.raises(CaptureError, match=r'in "positions", on an input of shape \(2, 12\)'):
        explainer.plan(ids(12))
    before = len(captures)
    explainer(ids(7))
    assert len(captures) == before == 2


def test_a_program_that_fails_where_the_model_does_not_is_captured_for_this_size(monkeypatch):
    """The model reads another global by now, by which it takes longer texts."""
    model = randomise(Positioned()).double().eval()
    explainer = relprop.Explainer(model)
    for length in (4, 5, 6):
        explainer(ids(length))
    monkeypatch.setitem(FACTOR, "length", 8)
    e = explainer(ids(12), target=0)
    alone = relprop.Explainer(model)(ids(12), target=0)
    torch.testing.assert_close(e.relevance, alone.relevance, rtol=1e-9, atol=1e-12)
    assert "does something else" in str(explainer.plan(ids(12)))


def test_the_model_runs_only_for_sizes_beyond_those_it_was_compared_at(captures):
    runs, model = [], randomise(Pictures()).double().eval()
    model.register_forward_hook(lambda *_: runs.append(1))
    explainer, counted = relprop.Explainer(model, "epsilon"), {}
    for height, width in ((12, 15), (14, 17), (20, 25), (16, 18), (18, 30), (12, 20), (15, 28)):
        x, before = torch.randn(2, 2, height, width, dtype=torch.float64), len(runs)
        e = explainer(x, target=0)
        counted[height, width] = len(runs) - before
        alone = relprop.Explainer(copy.deepcopy(model), "epsilon")(x, target=0)
        torch.testing.assert_close(e.relevance, alone.relevance, rtol=1e-9, atol=1e-12)
    new = list(counted.values())[2:]
    assert new == [1, 0, 1, 1, 0]  # 20 x 25, 18 x 30 and 12 x 20 are beyond, each in one size


class Humped(nn.Module):
    """Looks up a row that its table lacks for lengths in the middle of those that it takes."""

    def __init__(self):
        super().__init__()
        self.rows, self.head = nn.Embedding(60, 4), nn.Linear(4, 3)

    def forward(self, x):
        row = torch.arange(x.shape[1]) * 0 + x.shape[1] * (16 - x.shape[1])
        return self.head((x * self.rows(row)).sum(1))


def test_a_length_between_others_that_the_model_does_not_take_is_named(captures):
    explainer = relprop.Explainer(randomise(Humped()).double().eval())
    for length in (3, 4, 12):
        explainer(sequence(length))
    with pytest.raises(CaptureError, match=r'in "rows", on an input of shape \(2, 8, 4\)'):
        explainer(sequence(8))
    explainer(sequence(5))
    assert len(captures) == 2


def test_threads_that_meet_a_size_at_which_the_model_differs_agree(monkeypatch, captures):
    """One of them captures it; the others take that program."""
    model = randomise(ReadsGlobal()).double().eval()
    explainer = relprop.Explainer(model, "epsilon")
    for length in (4, 5, 6):
        explainer(sequence(length), target=0)
    monkeypatch.setitem(FACTOR, "factor", 3.0)
    x = sequence(7)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: explainer(x, target=0).relevance, range(4)))
    assert len(captures) == 3
    alone = relprop.Explainer(model, "epsilon")(x, target=0)
    for relevance in found:
        torch.testing.assert_close(relevance, alone.relevance, rtol=1e-9, atol=1e-12)


class LastToken(nn.Module):
    """Reads the last position of each sample that is not padded."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x, mask):
        last = mask.sum(1) - 1
        return self.head(self.layer(x).relu())[torch.arange(x.shape[0]), last]


@pytest.mark.parametrize("call", ["plan", "__call__"])
@pytest.mark.parametrize("wrong", [-1, 0], ids=["the last one's", "the first one's"])
def test_a_program_that_reads_the_position_of_another_sample_is_refused(
    wrong, call, monkeypatch, captures
):
    take = prune._take_one_per_sample

    def of_another(value, dim, index):
        return take(value, dim, index[wrong].expand_as(index))

    model = randomise(LastToken()).double().eval()
    x, mask = sequence(4), torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
    explainer = relprop.Explainer(model, "epsilon")
    getattr(explainer, call)((x, mask))
    assert len(captures) == 1  # the right program is as it should be
    monkeypatch.setattr(prune, "_take_one_per_sample", of_another)
    explainer = relprop.Explainer(model, "epsilon")
    with pytest.raises(NumberError, match="the positions alone that it depends on"):
        getattr(explainer, call)((x, mask))
