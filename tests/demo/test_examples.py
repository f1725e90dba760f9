"""The digits to look at: how they are chosen, and what is shown of them."""

from types import MappingProxyType

import torch
from helpers.one_pixel import PIXELS, OnePixel, Oracle, planted_digits

from relprop.demo.examples import choose_examples, flips, make_examples
from relprop.demo.rule_table import MAIN_RECIPE, RuleTable, compute_rule_table
from relprop.evaluate import Predictions, classification_summary, paired_test


def table_of(labels, morf, lerf, random, before=None):
    """A table with these predictions, and nothing else of interest."""

    def predictions(classes):
        return Predictions(torch.tensor(classes), torch.full((len(classes),), 0.5))

    after = {"morf": predictions(morf), "lerf": predictions(lerf), "random": predictions(random)}
    anything = classification_summary(after["morf"], torch.tensor(labels))
    no_difference = paired_test(torch.ones(2), torch.ones(2))
    return RuleTable(
        q=0.1,
        seed=0,
        pixels=25,
        removed_pixels=1,
        untouched=anything,
        random=anything,
        random_ink=anything,
        rows=(),
        against_random=no_difference,
        against_random_ink=no_difference,
        relevance=torch.zeros(len(labels), 1, 5, 5),
        before=predictions(labels if before is None else before),
        after=MappingProxyType(after),
    )


def test_a_digit_flips_only_where_its_most_relevant_pixels_alone_matter():
    #         flips  never correct  holds  always wrong  random is wrong too
    labels = [0, 1, 2, 3, 4]
    table = table_of(
        labels,
        before=[0, 9, 2, 3, 4],
        morf=[9, 9, 2, 9, 9],
        lerf=[0, 1, 2, 9, 4],
        random=[0, 1, 2, 9, 9],
    )
    assert flips(table, torch.tensor(labels)).tolist() == [True, False, False, False, False]


def test_the_first_flip_comes_first_then_one_that_holds_then_other_classes():
    labels = [0, 1, 2, 2, 3, 4]
    table = table_of(labels, morf=[8, 1, 8, 8, 8, 8], lerf=[8, 1, 2, 2, 3, 4], random=labels)
    # 0 fails without its least relevant pixels, 1 holds, 2 is the first that flips, 3 is a 2 again
    assert choose_examples(table, torch.tensor(labels), count=4) == (2, 1, 0, 4)


def test_without_a_flip_the_first_correct_digits_are_shown():
    labels = [5, 6, 7]
    table = table_of(labels, before=[9, 6, 7], morf=[9, 6, 7], lerf=labels, random=labels)
    assert choose_examples(table, torch.tensor(labels)) == (1, 2)


def test_where_nothing_is_classified_correctly_nothing_is_shown():
    table = table_of([1, 2], before=[0, 0], morf=[0, 0], lerf=[0, 0], random=[0, 0])
    assert choose_examples(table, torch.tensor([1, 2])) == ()


def test_an_example_shows_the_images_that_the_model_classified():
    recipes = {MAIN_RECIPE: Oracle()}
    digits = planted_digits()
    table = compute_rule_table(recipes, digits, q=1 / PIXELS)
    networks = {"a": Oracle(), "b": Oracle(OnePixel(4))}
    first, *_ = make_examples(digits, table, recipes, networks)
    assert (first.index, first.label, first.flips) == (1, 1, True)
    expected = digits.images[1, 0].clone()
    assert first.original.pixels.equal(expected)
    expected[0, 1] = 0.0  # its one relevant pixel
    assert first.after["morf"].pixels.equal(expected)
    assert (first.original.prediction, first.after["morf"].prediction) == (1, 0)
    assert first.by_recipe[MAIN_RECIPE].pixels.nonzero().tolist() == [[0, 1]]
    assert set(first.by_network) == {"a", "b"}


def test_every_image_after_a_removal_has_the_prediction_beside_it():
    """Ties and random orders are drawn for all digits: for the chosen ones alone they differ."""
    recipes, digits = {MAIN_RECIPE: Oracle()}, planted_digits()
    table = compute_rule_table(recipes, digits, q=12 / PIXELS, seed=3)
    for example in make_examples(digits, table, recipes, {}):
        for order, after in example.after.items():
            scores = Oracle().model(after.pixels[None, None])
            assert int(scores.argmax()) == after.prediction, order
            assert int((after.pixels != example.original.pixels).sum()) <= table.removed_pixels
