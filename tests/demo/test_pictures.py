"""Pictures of digits with their words."""

from dataclasses import replace

import pytest
import torch

from relprop.demo.pictures import PICTURE_TITLES, map_picture, outline, pictures_of, without
from relprop.demo.removal import least
from relprop.demo.rule_table import MAIN_RECIPE


def test_a_row_goes_from_the_digit_to_what_is_left_of_it(demo):
    example = demo.examples[0]  # a 1, whose one relevant pixel is pixel 1
    digit, map_, most, brightest, ink, unimportant = pictures_of(
        example, MAIN_RECIPE, "zero", demo.table.greys
    )
    assert [p.kind for p in (digit, map_, most, brightest, ink, unimportant)] == list(
        PICTURE_TITLES
    )
    assert digit.caption == ("predicted 1", "margin 0.95")
    assert most.caption[0] == "predicted 0 ✗"
    assert most.alt.startswith("A handwritten 1, most relevant removed, fill zero: predicted 0 (w")
    assert (digit.wrong, most.wrong) == (False, True)
    assert (most.pixels - digit.pixels).nonzero().tolist() == [[0, 1]]
    assert most.pixels[0, 1] == 0
    assert map_.pixels.equal(example.by_recipe[MAIN_RECIPE])
    assert unimportant.caption[0] == "predicted 1"


def test_a_digit_without_blank_pixels_is_called_unchanged_where_these_turn_black(demo):
    order = least(MAIN_RECIPE)
    example = replace(demo.examples[0], removed={**demo.examples[0].removed, order: (20,)})

    def caption(fill):
        return pictures_of(example, MAIN_RECIPE, fill, demo.table.greys)[-1].caption

    assert caption("zero") == ("predicted 1", "unchanged: all blank")
    assert caption("mean") == ("predicted 1", "margin 0.95")


def test_under_another_fill_the_same_pixels_turn_grey(demo):
    example, grey = demo.examples[0], demo.table.greys["mean"]
    _, _, most, *_ = pictures_of(example, MAIN_RECIPE, "mean", demo.table.greys)
    assert float(most.pixels[0, 1]) == pytest.approx(grey)
    assert most.pixels.equal(without(example, MAIN_RECIPE, grey))


def test_a_map_says_for_which_class_and_how_large_its_relevance_is(demo):
    example = demo.examples[0]
    picture = map_picture(example, torch.tensor([[0.25, -0.5]]), "gamma", example.original)
    assert picture.caption == ("for a 1", "|R| ≤ 0.5")
    assert picture.limit == 0.5
    assert picture.alt.endswith("for a 1, from -0.5 to +0.25")


def test_the_outline_runs_between_ink_and_what_is_none():
    pixels = torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 0.4]])
    edges = [(1, 0, 1, 1), (3, 0, 3, 1), (1, 0, 2, 0), (2, 0, 3, 0), (1, 1, 2, 1), (2, 1, 3, 1)]
    assert sorted(outline(pixels)) == sorted(edges)
