"""The rule table on a model whose reason is known, so that every rate can be counted by hand."""

import pytest
import torch
from helpers.one_pixel import PIXELS, Oracle, planted_digits
from helpers.real_data import FOLDER, needs_mnist

from relprop.data import first_digits, load_digits
from relprop.demo.poster import POSTER
from relprop.demo.removal import BRIGHTEST, INK, RANDOM, least
from relprop.demo.rule_table import (
    MAIN_RECIPE,
    RECIPES,
    compute_rule_table,
    explainers_by_recipe,
)
from relprop.errors import InputError
from relprop.evaluate import paired_test, remove_units
from relprop.models import load_model


def planted_table(q=1 / PIXELS, seed=0):
    explainers = {MAIN_RECIPE: Oracle(), "wrong": Oracle(wrong=True)}
    return compute_rule_table(explainers, planted_digits(), q=q, seed=seed)


def counts(by_fill):
    return {fill: summary.error_rate.count for fill, summary in by_fill.items()}


def test_without_its_one_pixel_every_digit_is_classified_as_class_0():
    """So the four digits of class 0 stay correct, and the eight others become wrong."""
    table = planted_table()
    assert (table.removed_pixels, table.pixels) == (1, PIXELS)
    assert table.untouched.error_rate.count == 0
    oracle, wrong = table.rows
    assert table.main is oracle
    assert oracle.recipe == MAIN_RECIPE
    assert counts(oracle.most) == {"zero": 8, "mean": 8}
    assert counts(oracle.least) == {"zero": 0, "mean": 0}
    assert counts(wrong.most) == {"zero": 0, "mean": 0}
    assert counts(wrong.least) == {"zero": 8, "mean": 8}


def test_random_ink_and_brightest_are_drawn_from_lit_pixels_alone():
    """Three pixels of each digit are lit: without all of them, none of eight digits is left."""
    table = planted_table(q=3 / PIXELS)
    assert counts(table.controls[INK])["zero"] == counts(table.controls[BRIGHTEST])["zero"] == 8
    assert counts(table.controls[RANDOM])["zero"] < 8


def test_a_removed_pixel_turns_black_or_the_mean_grey_of_all_digits():
    table = planted_table()
    assert table.greys == {
        "zero": 0.0,
        "mean": pytest.approx(3 / PIXELS),  # three lit pixels in each digit
    }


def test_the_number_of_blank_pixels_among_the_least_relevant_is_counted():
    """The oracle gives 24 pixels no relevance; 22 of these are blank, and all are removed."""
    table = planted_table(q=24 / PIXELS)
    assert table.blank == 22


def test_digits_that_black_leaves_blank_are_counted():
    """Three pixels of each digit are lit; without any, OnePixel says class 0."""
    assert planted_table(q=2 / PIXELS).blanked.sum() == 0
    assert planted_table(q=3 / PIXELS).blanked.sum() == 12
    assert planted_table().blank_class == 0


def test_the_comparison_with_brightest_first_is_made_digit_by_digit():
    table, labels = planted_table(), planted_digits().labels
    for fill in ("zero", "mean"):
        wrong = [
            table.after(order, fill).prediction != labels for order in (MAIN_RECIPE, BRIGHTEST)
        ]
        assert table.main.against_brightest[fill] == paired_test(*wrong)


def test_the_seed_decides_what_is_random():
    def drawn(seed):
        images = planted_digits().images
        alike = torch.zeros_like(images)
        return remove_units(images, alike, 3 / PIXELS, seed=seed)

    first, again, other = (planted_table(q=3 / PIXELS, seed=seed) for seed in (1, 1, 2))
    assert first.controls == again.controls
    assert (first.seed, other.seed) == (1, 2)
    # the predictions are those for the pixels that this seed draws
    for table in (first, other):
        scores = Oracle().model(drawn(table.seed))
        assert scores.argmax(1).equal(table.after(RANDOM, "zero").prediction)


def test_a_share_of_less_than_a_pixel_is_refused():
    with pytest.raises(InputError, match=r"q=0\.001, the share to remove of samples with 25 units"):
        planted_table(q=0.001)


def test_the_recipes_are_the_four_rules_and_two_presets():
    assert list(RECIPES) == [*POSTER, "epsilon-plus-flat", "epsilon-gamma-box"]
    assert "relative=True" in RECIPES["epsilon"].name


@needs_mnist
def test_epsilon_on_the_cnn_beats_brightest_first_and_random_ink_under_both_fills():
    """The intervals of the rates are apart, and unimportant pixels change next to nothing."""
    digits = first_digits(load_digits("test", FOLDER), 200)
    recipes = explainers_by_recipe(load_model("mnist-cnn"))
    table = compute_rule_table({MAIN_RECIPE: recipes[MAIN_RECIPE]}, digits)
    for fill in ("zero", "mean"):
        lowest = table.main.most[fill].error_rate.interval.low
        for control in (BRIGHTEST, INK, RANDOM):
            assert lowest > table.controls[control][fill].error_rate.interval.high
        assert table.main.against_brightest[fill].p_value < 1e-10
        changed = table.after(least(MAIN_RECIPE), fill).prediction != table.before.prediction
        assert int(changed.sum()) <= 2
