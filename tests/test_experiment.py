"""The experiment on a model whose reason is known, so that every share can be counted by hand."""

from types import MappingProxyType

import pytest
import torch
from helpers.one_pixel import PIXELS, OnePixel, Oracle, planted_digits
from helpers.real_data import FOLDER, needs_mnist

from relprop.data import load_digits
from relprop.demo.examples import choose_examples, examples, flipped
from relprop.demo.experiment import (
    MAIN_RECIPE,
    POSTER,
    RECIPES,
    RuleTable,
    Trial,
    rule_explainers,
    rule_table,
)
from relprop.demo.networks import compare_networks
from relprop.errors import InputError
from relprop.evaluate import Predictions
from relprop.evaluate.statistics.classification import classification_summary
from relprop.evaluate.statistics.paired_test import paired_test
from relprop.models.checkpoint import load_model


def planted_table(q=1 / PIXELS, seed=0):
    explainers = {MAIN_RECIPE: Oracle(), "wrong": Oracle(wrong=True)}
    return rule_table(explainers, planted_digits(), q=q, seed=seed)


# ---- the rule table --------------------------------------------------------------------


def test_without_its_one_pixel_every_digit_is_read_as_class_0():
    """So the four digits of class 0 stay right, and the eight others are misread."""
    table = planted_table()
    assert (table.count, table.pixels) == (1, PIXELS)
    assert table.untouched.error_rate.count == 0
    oracle, wrong = table.rows
    assert oracle.recipe == MAIN_RECIPE
    assert (oracle.most.error_rate.count, oracle.least.error_rate.count) == (8, 0)
    assert (wrong.most.error_rate.count, wrong.least.error_rate.count) == (0, 8)


def test_the_pixels_that_go_are_the_most_relevant_ones():
    removed = planted_table().trials["morf"].removed
    assert removed.flatten().tolist() == planted_digits().labels.tolist()


def test_random_ink_is_drawn_from_lit_pixels_alone():
    """Three pixels of each digit are lit: without all of them, none of eight digits is left."""
    table = planted_table(q=3 / PIXELS)
    assert table.random_ink.error_rate.count == 8
    assert table.random.error_rate.count < 8


def test_the_comparison_with_random_is_made_digit_by_digit():
    table = planted_table()
    labels = planted_digits().labels
    missed = {order: t.predictions.prediction != labels for order, t in table.trials.items()}
    assert table.against_random == paired_test(missed["morf"], missed["random"])
    assert not (missed["random"] & ~missed["morf"]).any()


def test_the_seed_decides_what_is_random():
    def drawn(seed):
        return planted_table(seed=seed).trials["random"].removed

    assert drawn(1).equal(drawn(1))
    assert not drawn(1).equal(drawn(2))


def test_a_share_of_less_than_a_pixel_is_refused():
    with pytest.raises(InputError, match="the share of the 25 features to remove"):
        planted_table(q=0.001)


def test_the_recipes_are_the_four_rules_and_two_presets():
    assert list(RECIPES) == [*POSTER, "epsilon-plus-flat", "epsilon-gamma-box"]
    assert "relative=True" in RECIPES["epsilon"].name


@needs_mnist
def test_epsilon_on_the_cnn_beats_random_pixels_and_random_ink():
    """The intervals of the differences lie far above 0, and those of the shares far apart."""
    digits = load_digits("test", FOLDER)
    digits = type(digits)(digits.images[:200], digits.labels[:200], digits.split, digits.source)
    explainers = rule_explainers(load_model("mnist-cnn"))
    table = rule_table({MAIN_RECIPE: explainers[MAIN_RECIPE]}, digits)
    most = table.rows[0].most.error_rate.interval
    assert most.low > 5 * table.random.error_rate.interval.high
    assert most.low > table.random_ink.error_rate.interval.high
    assert table.against_random.p_value < 1e-10


# ---- single digits ---------------------------------------------------------------------


def table_of(labels, morf, lerf, random, before=None):
    """A table with these predictions, and nothing else of interest."""
    before = labels if before is None else before

    def trial(prediction):
        reading = Predictions(torch.tensor(prediction), torch.full((len(prediction),), 0.5))
        return Trial(torch.zeros(len(prediction), 1, dtype=torch.long), reading)

    trials = {"morf": trial(morf), "lerf": trial(lerf), "random": trial(random)}
    anything = classification_summary(trials["morf"].predictions, torch.tensor(labels))
    same = paired_test(torch.tensor([True]), torch.tensor([True]))
    return RuleTable(
        q=0.1,
        pixels=25,
        count=1,
        untouched=anything,
        random=anything,
        random_ink=anything,
        rows=(),
        against_random=same,
        against_random_ink=same,
        before=trial(before).predictions,
        trials=MappingProxyType(trials),
    )


def test_a_digit_flips_only_where_important_pixels_alone_have_it_misread():
    #                 flips  never read  holds  all break  random breaks too
    labels = [0, 1, 2, 3, 4]
    table = table_of(
        labels,
        before=[0, 9, 2, 3, 4],
        morf=[9, 9, 2, 9, 9],
        lerf=[0, 1, 2, 9, 4],
        random=[0, 1, 2, 9, 9],
    )
    assert flipped(table, torch.tensor(labels)).tolist() == [True, False, False, False, False]


def test_the_first_flip_comes_first_then_one_that_holds_then_other_classes():
    labels = [0, 1, 2, 2, 3, 4]
    table = table_of(labels, morf=[8, 1, 8, 8, 8, 8], lerf=[8, 1, 2, 2, 3, 4], random=labels)
    # 0 breaks without its unimportant pixels, 1 holds, 2 is the first that flips, 3 is a 2 again
    assert choose_examples(table, torch.tensor(labels), count=4) == (2, 1, 0, 4)


def test_without_a_flip_the_first_correct_digits_are_shown():
    labels = [5, 6, 7]
    table = table_of(labels, before=[9, 6, 7], morf=[9, 6, 7], lerf=labels, random=labels)
    assert choose_examples(table, torch.tensor(labels)) == (1, 2)


def test_where_nothing_is_read_correctly_nothing_is_shown():
    table = table_of([1, 2], before=[0, 0], morf=[0, 0], lerf=[0, 0], random=[0, 0])
    assert choose_examples(table, torch.tensor([1, 2])) == ()


def test_an_example_shows_what_the_model_was_given_and_what_it_read():
    recipes = {MAIN_RECIPE: Oracle()}
    digits = planted_digits()
    table = rule_table(recipes, digits, q=1 / PIXELS)
    first, *_ = examples(digits, table, recipes, {"a": Oracle(), "b": Oracle(OnePixel(4))})
    assert (first.index, first.label, first.flips) == (1, 1, True)
    expected = digits.images[1, 0].clone()
    assert first.original.pixels.equal(expected)
    expected[0, 1] = 0.0
    assert first.after["morf"].pixels.equal(expected)
    assert (first.original.prediction, first.after["morf"].prediction) == (1, 0)
    assert first.by_recipe[MAIN_RECIPE].pixels.nonzero().tolist() == [[0, 1]]
    assert set(first.by_network) == {"a", "b"}


# ---- networks --------------------------------------------------------------------------


def test_networks_are_read_at_every_step_in_every_order():
    got, wrong = compare_networks(
        {"right": Oracle(), "wrong": Oracle(wrong=True)}, planted_digits(), q=0.04
    )
    assert got.steps == (0.0, 0.025, 0.04, 0.05, 0.1, 0.2, 0.3)
    # 0.025 of 25 pixels rounds to one: without it the eight digits of classes 1 and 2 are misread
    assert [c.error_rate.count for c in got.curves["morf"]] == [0, 8, 8, 8, 8, 8, 8]
    assert [c.error_rate.count for c in got.curves["lerf"]] == [0] * 7
    assert got.curves["random"] == wrong.curves["random"]
    assert got.untouched.error_rate.count == 0
    assert got.at("morf", 0.04) == got.curves["morf"][2]
