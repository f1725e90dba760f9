"""The results of a demo on planted digits, and its files."""

import pytest
from helpers.one_pixel import OnePixel, Oracle, planted_digits

from relprop.demo.examples import make_examples
from relprop.demo.networks import compare_networks
from relprop.demo.output import render_files
from relprop.demo.rule_table import RECIPES, compute_rule_table
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
    )


@pytest.fixture(scope="session")
def demo(card):
    recipes, networks = dict.fromkeys(RECIPES, Oracle()), {card.name: Oracle(OnePixel(4))}
    digits = planted_digits()
    table = compute_rule_table(recipes, digits, q=0.04)
    return DemoResult(
        settings=Settings(digits=12, q=0.04),
        digits=digits,
        available=20,
        cards={card.name: card},
        table=table,
        networks=compare_networks(networks, digits, q=0.04),
        examples=make_examples(digits, table, recipes, networks),
        run=RunInfo({"rule_table": 1.25}, {"torch": "2.13.0"}, 2),
    )


@pytest.fixture(scope="session")
def files(demo):
    return render_files(demo)
