"""The table of a demo in a terminal."""

import re
from dataclasses import replace

from relprop.demo.rule_table import RECIPES
from relprop.demo.tables import short_table


def test_the_short_table_has_every_recipe_and_control_under_both_fills(demo):
    table = short_table(demo)
    for name in RECIPES:
        assert re.search(rf"^  {name} +67% wrong +67% wrong$", table, re.MULTILINE), name
    assert re.search(r"^  brightest first +33% wrong +33% wrong$", table, re.MULTILINE)
    assert re.search(r"^  least \|relevance\| first, epsilon +0% wrong +0% wrong$", table, re.M)
    assert table.startswith("a<b on 12 test digits\n1 of 25 pixels removed (4%)\n")
    assert max(len(line) for line in table.splitlines()) <= 100


def test_the_verdict_follows_from_the_numbers(demo):
    """Twelve digits are too few to tell relevance from brightest first, and the table says so."""
    expected = "no clear difference from removing the brightest pixels."
    assert expected in " ".join(short_table(demo).split())
    assert "Depends on the fill" not in short_table(demo)


def test_digits_of_the_training_split_are_called_so(demo):
    trained = replace(demo, digits=replace(demo.digits, split="train"))
    assert "12 training digits, which it was trained on\n" in short_table(trained)
