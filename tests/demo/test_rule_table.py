"""The rule table on a model whose reason is known, so that every rate can be counted by hand."""

import pytest
from helpers.one_pixel import PIXELS, Oracle, planted_digits
from helpers.real_data import FOLDER, needs_mnist

from relprop.data import first_digits, load_digits
from relprop.demo.poster import POSTER
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


def test_without_its_one_pixel_every_digit_is_classified_as_class_0():
    """So the four digits of class 0 stay correct, and the eight others become wrong."""
    table = planted_table()
    assert (table.removed_pixels, table.pixels) == (1, PIXELS)
    assert table.untouched.error_rate.count == 0
    oracle, wrong = table.rows
    assert oracle.recipe == MAIN_RECIPE
    assert (oracle.most.error_rate.count, oracle.least.error_rate.count) == (8, 0)
    assert (wrong.most.error_rate.count, wrong.least.error_rate.count) == (0, 8)


def test_random_ink_is_drawn_from_lit_pixels_alone():
    """Three pixels of each digit are lit: without all of them, none of eight digits is left."""
    table = planted_table(q=3 / PIXELS)
    assert table.random_ink.error_rate.count == 8
    assert table.random.error_rate.count < 8


def test_the_comparison_with_random_is_made_digit_by_digit():
    table = planted_table()
    labels = planted_digits().labels
    wrong = {order: after.prediction != labels for order, after in table.after.items()}
    assert table.against_random == paired_test(wrong["morf"], wrong["random"])


def test_the_seed_decides_what_is_random():
    def drawn(seed):
        digits = planted_digits()
        return remove_units(digits.images, None, 3 / PIXELS, order="random", seed=seed)

    first, again, other = (planted_table(q=3 / PIXELS, seed=seed) for seed in (1, 1, 2))
    assert first.random == again.random
    assert (first.seed, other.seed) == (1, 2)
    # the predictions are those for the pixels that this seed draws
    for table in (first, other):
        scores = Oracle().model(drawn(table.seed))
        assert scores.argmax(1).equal(table.after["random"].prediction)


def test_a_share_of_less_than_a_pixel_is_refused():
    with pytest.raises(InputError, match=r"q=0\.001, the share to remove of samples with 25 units"):
        planted_table(q=0.001)


def test_the_recipes_are_the_four_rules_and_two_presets():
    assert list(RECIPES) == [*POSTER, "epsilon-plus-flat", "epsilon-gamma-box"]
    assert "relative=True" in RECIPES["epsilon"].name


@needs_mnist
def test_epsilon_on_the_cnn_beats_random_pixels_and_random_ink():
    """The intervals of the differences are far above 0, and those of the rates far apart."""
    digits = first_digits(load_digits("test", FOLDER), 200)
    recipes = explainers_by_recipe(load_model("mnist-cnn"))
    table = compute_rule_table({MAIN_RECIPE: recipes[MAIN_RECIPE]}, digits)
    most = table.rows[0].most.error_rate.interval
    assert most.low > 5 * table.random.error_rate.interval.high
    assert most.low > table.random_ink.error_rate.interval.high
    assert table.against_random.p_value < 1e-10
