"""Captured graphs and programs are cached by shape, for so many shapes that were used last."""

import gc

import pytest
import torch
from torch import nn

import relprop
from relprop.capture import model as capturing
from relprop.explanation import program_cache
from relprop.explanation.built_program import BuiltProgram
from relprop.support.recent_items import RecentItems


def test_the_item_used_longest_ago_is_dropped():
    items = RecentItems[str](2)
    items.put("a", "first")
    items.put("b", "second")
    assert items.get("a") == "first"
    items.put("c", "third")
    assert items.get("b") is None
    assert [key for key, _ in items.items()] == ["a", "c"]


class MeanOfTokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, ids):
        return self.head(self.embedding(ids).mean(1))


@pytest.fixture
def captures(monkeypatch):
    """Counts captures in a list, of the length of each text."""
    lengths, capture = [], capturing.capture_model

    def counted(model, inputs, *arguments, **options):
        lengths.append(inputs.first.shape[1])
        return capture(model, inputs, *arguments, **options)

    monkeypatch.setattr(capturing, "capture_model", counted)
    return lengths


def test_ever_new_lengths_do_not_fill_the_memory(monkeypatch, captures):
    monkeypatch.setattr(program_cache, "MOST_SHAPES", 3)
    explainer = relprop.Explainer(MeanOfTokens().eval(), "epsilon")
    expected = {}
    for length in (2, 3, 4, 5, 6, 3):
        ids = torch.arange(2 * length).reshape(2, length) % 10
        relevance = explainer(ids, target=0).relevance
        torch.testing.assert_close(relevance, expected.setdefault(length, relevance))
    assert captures == [2, 3]  # the second leaves the length open
    gc.collect()
    alive = [one for one in gc.get_objects() if type(one) is BuiltProgram]
    built = [one for one in alive if one.program.plan.recipe is explainer.recipe]
    assert len(built) <= 4  # three lengths, and the one that the others are made of
    assert len({id(one.program) for one in built}) == 1


def test_a_shape_and_other_recipes_are_captured_once(captures):
    explainer, ids = relprop.Explainer(MeanOfTokens().eval(), "epsilon"), torch.ones(2, 4).long()
    for other in (explainer, explainer.with_recipe("zero"), explainer):
        other(ids)
    assert captures == [4]


class Spikes(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x):
        h = self.layer(x)
        return self.head(h.flatten(1)[:, :6] + (h > 0).to(h.dtype).flatten(1)[:, :6])


@pytest.mark.parametrize("capture", ["export", "per-input"])
def test_an_explainer_warns_of_a_dropped_path_once_and_says_it_always(capture):
    x = torch.ones(3, 4)
    explainer = relprop.Explainer(Spikes().eval(), "zero", capture=capture)
    with pytest.warns(relprop.errors.DroppedPathWarning) as caught:
        first = explainer(x, target=0)
    assert len(caught) == 1
    warning = caught[0].message
    assert warning.todo.startswith(
        'relprop.Recipe.preset("zero").using(relprop.Selector(operation="gt"), "straight'
    )
    again = explainer(x[:, None], target=0, ledger=True)  # a new shape; a warning is an error here
    parts = explainer(x, target=[0, 1], batch_size=2)
    assert first.dropped == again.dropped == parts.dropped == ("gt",)
    with pytest.warns(relprop.errors.DroppedPathWarning):  # an explainer of its own
        explainer.with_recipe("epsilon")(x, target=0)
