"""Recipes: the printed table."""

from relprop import Recipe


def test_a_recipe_prints_as_its_table():
    recipe = Recipe.preset("epsilon-gamma-box", low=0.0, high=1.0).using("f.*", "flat")
    rows = [line[2:] for line in str(recipe).splitlines()[1:]]
    assert [(row[:36].strip(), row[36:].strip()) for row in rows] == [
        ('"f.*"', "flat"),
        ("any first convolution", "z-box(low=0, high=1)"),
        ("any convolution", "gamma(gamma=0.25)"),
        ("any linear", "epsilon(epsilon=1e-06, relative=False)"),
        ("any average-pool", "epsilon(epsilon=1e-06, relative=False)"),
        ("any softmax", "taylor"),
        ("any attention", "attnlrp"),
        ("any product or matmul", "uniform"),
        ("any gate", "constant-gate"),
        ("any normalisation", "constant-statistics"),
        ("any recurrent", "signal-takes-all(epsilon=0.001)"),
    ]
