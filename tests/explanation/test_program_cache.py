"""Captured graphs and programs are cached by shape, for so many shapes that were used last."""

import gc

import pytest
import torch
from torch import nn

import relprop
from relprop.capture import model as capturing
from relprop.explanation import program_cache
from relprop.explanation.build import BuiltProgram
from relprop.explanation.program_cache import RecentItems


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
    assert captures == [2, 3, 4, 5, 6, 3]  # 3 was dropped and is captured again
    gc.collect()
    alive = [one for one in gc.get_objects() if type(one) is BuiltProgram]
    programs = [one for one in alive if one.program.plan.recipe is explainer.recipe]
    assert len(programs) == 3


def test_a_shape_and_other_recipes_are_captured_once(captures):
    explainer, ids = relprop.Explainer(MeanOfTokens().eval(), "epsilon"), torch.ones(2, 4).long()
    for other in (explainer, explainer.with_recipe("zero"), explainer):
        other(ids)
    assert captures == [4]
