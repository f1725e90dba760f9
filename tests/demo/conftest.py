"""The results of a demo on planted digits, and its files."""

from types import MappingProxyType

import pytest
from helpers.one_pixel import OnePixel, Oracle, planted_digits

from relprop.demo.examples import make_examples
from relprop.demo.networks import compare_networks
from relprop.demo.output import render_files
from relprop.demo.rule_table import MAIN_RECIPE, RECIPES, compute_rule_table
from relprop.demo.run import DemoResult, RunInfo, Settings
from relprop.models import ModelCard


@pytest.fixture(scope="session")
def card():
    return ModelCard(
        name="a<b",  # a name that would break the page if it were not escaped
        input_shape=(1, 5, 5),
        architecture=({"layer": "linear", "in_features": 25, "out_features": 3},),
        parameters=78,
        accuracy=0.9875,
        training="by hand",
    )


def planted_demo(card, wrong=False):
    """A demo whose network depends on one pixel, which relevance finds, or everything but it."""
    model, digits = OnePixel(4).eval(), planted_digits()
    recipes = {name: Oracle(model, wrong=wrong) for name in RECIPES}
    table = compute_rule_table(recipes, digits, q=0.04)
    networks = compare_networks(
        {card.name: recipes[MAIN_RECIPE]},
        digits,
        q=0.04,
        relevance={card.name: table.relevance[MAIN_RECIPE]},
        known={card.name: table.outcomes},
    )
    return DemoResult(
        settings=Settings(model=card.name, digits=12, q=0.04),
        digits=digits,
        available=20,
        cards=MappingProxyType({card.name: card}),
        table=table,
        networks=networks,
        examples=make_examples(digits, table, networks),
        run=RunInfo({"rule_table": 1.25}, {"torch": "2.13.0"}, 2),
    )


@pytest.fixture(scope="session")
def demo(card):
    return planted_demo(card)


@pytest.fixture(scope="session")
def misled(card):
    """The same, but relevance is given to every pixel but the right one."""
    return planted_demo(card, wrong=True)


@pytest.fixture(scope="session")
def files(demo):
    return render_files(demo)
