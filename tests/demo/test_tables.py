"""The table of a demo in a terminal."""

import re

from relprop.demo.rule_table import RECIPES
from relprop.demo.tables import short_table


def test_the_short_table_names_every_recipe_and_the_digits(demo):
    table = short_table(demo)
    assert all(re.search(rf"^{name} +66\.7% ", table, re.MULTILINE) for name in RECIPES)
    assert "12 digits: twelve planted digits." in table
    assert max(len(line) for line in table.splitlines()) <= 100
