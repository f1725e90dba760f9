"""The digits to look at: how they are chosen, and what is shown of them."""

from dataclasses import replace
from types import MappingProxyType

import torch
from helpers.one_pixel import PIXELS, Oracle, planted_digits

from relprop.demo.examples import choose_examples, make_examples
from relprop.demo.networks import compare_networks
from relprop.demo.removal import BRIGHTEST, INK, Removal, least
from relprop.demo.rule_table import MAIN_RECIPE, compute_rule_table
from relprop.evaluate import Predictions


def table_of(labels, relevance, brightest, ink, before=None, ink_pixels=None):
    """A table with these predictions after removal, and nothing else of interest."""

    def predictions(classes):
        return Predictions(torch.tensor(classes), torch.full((len(classes),), 0.5))

    table = compute_rule_table({MAIN_RECIPE: Oracle()}, planted_digits(), q=1 / PIXELS)
    after = {MAIN_RECIPE: relevance, BRIGHTEST: brightest, INK: ink}
    outcomes = {Removal(order, "zero", 1): predictions(said) for order, said in after.items()}
    return replace(
        table,
        before=predictions(labels if before is None else before),
        outcomes=MappingProxyType(outcomes),
        ink=torch.tensor([9] * len(labels)) if ink_pixels is None else torch.tensor(ink_pixels),
    )


def test_first_relevance_misleads_then_a_control_then_nothing_then_other_classes():
    labels = [0, 0, 1, 2, 2, 3, 4]
    table = table_of(
        labels,
        relevance=[9, 9, 1, 2, 2, 9, 9],
        brightest=[9, 0, 1, 9, 2, 9, 4],
        ink=[0, 0, 9, 2, 2, 9, 9],
    )
    # 0 fails by brightest, too; 1 is the first of relevance alone; 2 the first of a control alone;
    # 4 holds, and is the first 2 that does; 5 and 6 fail by both
    assert choose_examples(table, torch.tensor(labels)) == {
        1: "relevance",
        2: "control",
        4: "holds",
        5: "next",
        6: "next",
    }
    assert list(choose_examples(table, torch.tensor(labels), count=2)) == [1, 2]


def test_a_digit_that_was_wrong_before_is_never_shown():
    labels = [5, 6, 7]
    table = table_of(labels, before=[9, 6, 7], relevance=[9, 6, 7], brightest=labels, ink=labels)
    assert choose_examples(table, torch.tensor(labels)) == {1: "holds", 2: "next"}
    nothing = table_of([1], before=[0], relevance=[0], brightest=[0], ink=[0])
    assert choose_examples(nothing, torch.tensor([1])) == {}


def test_a_digit_that_removal_leaves_a_third_of_is_preferred():
    labels = [0, 1]  # one pixel is removed; of three, two are left, of one, none
    table = table_of(labels, [9, 9], brightest=labels, ink=labels, ink_pixels=[1, 3])
    assert choose_examples(table, torch.tensor(labels)) == {1: "relevance"}
    all_thin = replace(table, ink=torch.tensor([1, 1]))
    assert list(choose_examples(all_thin, torch.tensor(labels))) == [0, 1]
    assert replace(table, removed_pixels=20, ink=torch.tensor([29, 30])).thin.tolist() == [1, 0]


def made(q=1 / PIXELS, seed=0):
    digits, recipes = planted_digits(), {MAIN_RECIPE: Oracle()}
    table = compute_rule_table(recipes, digits, q=q, seed=seed)
    networks = compare_networks({"a": Oracle(), "b": Oracle(wrong=True)}, digits, q=q, seed=seed)
    return digits, table, make_examples(digits, table, networks)


def test_an_example_shows_what_the_model_classified():
    digits, table, examples = made()
    first = examples[0]
    assert (first.index, first.label, first.kind) == (1, 1, "relevance")
    assert first.pixels.equal(digits.images[1, 0])
    assert first.original.label == 1
    assert first.original.margin == float(table.before.margin[1])
    assert first.removed[MAIN_RECIPE] == (1,)  # its one relevant pixel
    assert first.after[Removal(MAIN_RECIPE, "zero", 1)].label == 0
    assert first.by_recipe[MAIN_RECIPE].nonzero().tolist() == [[0, 1]]
    assert set(first.by_network) == set(first.predicted) == {"a", "b"}
    assert int(first.by_network["b"].sum()) == PIXELS - 1


def test_the_pixels_of_an_example_are_those_of_its_predictions():
    """Ties and random orders are drawn for all digits: for the chosen ones alone they differ."""
    _, table, examples = made(q=2 / PIXELS, seed=3)
    for example in examples:
        for removal, after in example.after.items():
            pixels = example.pixels.flatten().clone()
            pixels[list(example.removed[removal.order])] = table.greys[removal.fill]
            scores = Oracle().model(pixels.reshape(1, 1, *example.pixels.shape))
            assert int(scores.argmax()) == after.label, removal
        assert len(example.removed[least(MAIN_RECIPE)]) == 2
