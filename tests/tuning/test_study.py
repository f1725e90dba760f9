"""The search: what Optuna is asked, what halving stops, and journals that are shared."""

import pytest

from relprop.errors import InputError, RuleError
from relprop.recipes.recipe import Recipe
from relprop.recipes.selectors import Selector
from relprop.support.progress import QUIET
from relprop.tuning.space import Dimension, RecipeSpace
from relprop.tuning.study import search_recipes

LINEAR = Selector(kinds=("linear",))
SPACE = RecipeSpace((Dimension("block", LINEAR, ("zero", "gamma", "z-plus"), "linear"),))
KNOWN = (Recipe.preset("gamma"), Recipe.preset("gamma", gamma=0.5), Recipe.preset("zero"))


def of_rule(recipe):
    """Score z-plus 2, gamma by its parameter, zero 0."""
    rule = recipe.rows[0].rule
    return {"zero": 0.0, "z-plus": 2.0}.get(rule.name, rule.parameters.get("gamma", 0) / 10)


def search(score, *, trials, objectives=1, identity="a", folder=None, seed=0):
    return search_recipes(
        SPACE,
        score,
        first=KNOWN,
        objectives=objectives,
        trials=trials,
        seed=seed,
        identity=identity,
        folder=folder,
        progress=QUIET,
    )


def one_piece(recipe):
    yield (of_rule(recipe),)


def test_the_best_recipe_is_found():
    found = search(one_piece, trials=12)
    assert found.trials == 12
    assert [one.recipe.rows[0].rule.name for one in found.best][:1] == ["z-plus"]
    assert [one.scores[0] for one in found.best] == sorted(
        (one.scores[0] for one in found.best), reverse=True
    )


def test_the_recipe_of_a_trial_is_the_one_that_was_scored():
    scored = []

    def remember(recipe):
        scored.append(recipe)
        yield (of_rule(recipe),)

    found = search(remember, trials=8)
    for one in found.best:
        assert one.recipe == scored[one.number]


def test_known_recipes_are_tried_first():
    scored = []

    def remember(recipe):
        scored.append(str(recipe.rows[0].rule))
        yield (0.0,)

    search(remember, trials=3)
    assert scored == ["gamma(gamma=0.25)", "gamma(gamma=0.5)", "zero"]


def test_recipes_that_are_behind_are_stopped():
    pieces = []

    def three_pieces(recipe):
        for piece in range(3):
            pieces.append(piece)
            yield (of_rule(recipe),)

    found = search(three_pieces, trials=20)
    assert found.stopped_early > 0
    assert len(found.best) == 20 - found.stopped_early
    assert len(pieces) < 60
    assert found.best[0].recipe.rows[0].rule.name == "z-plus"


def test_of_several_objectives_none_is_stopped():
    found = search(lambda r: iter([(of_rule(r), -of_rule(r))] * 3), trials=6, objectives=2)
    assert found.stopped_early == 0
    assert all(a == -b for a, b in (one.scores for one in found.best))


def test_a_later_call_goes_on(tmp_path):
    first = search(one_piece, trials=3, folder=tmp_path)
    counted = []

    def count(recipe):
        counted.append(recipe)
        yield (of_rule(recipe),)

    second = search(count, trials=5, folder=tmp_path)
    assert (first.trials, second.trials, len(counted)) == (3, 5, 2)
    assert search(count, trials=5, folder=tmp_path).trials == 5
    assert len(counted) == 2


def test_a_trial_that_raises_leaves_the_journal_usable(tmp_path):
    def fails(recipe):
        raise RuntimeError("no memory")
        yield

    with pytest.raises(RuntimeError, match="no memory"):
        search(fails, trials=2, folder=tmp_path)
    assert search(one_piece, trials=4, folder=tmp_path).trials == 4


def test_recipes_that_cannot_run_do_not_end_the_search():
    def only_z_plus(recipe):
        if recipe.rows[0].rule.name != "z-plus":
            raise RuleError(f"the rule {recipe.rows[0].rule.name} here", "z-plus", "take z-plus")
        yield (1.0,)

    found = search(only_z_plus, trials=9)
    assert {one.recipe.rows[0].rule.name for one in found.best} == {"z-plus"}
    failed = 9 - len(found.best)
    assert found.failed == {f"{failed} of 9 recipes tried": "the rule gamma here"}
    assert search(one_piece, trials=3).failed == {}


def test_a_journal_of_something_else_is_refused(tmp_path):
    search(one_piece, trials=1, folder=tmp_path)
    with pytest.raises(InputError, match="another model, other samples or other options"):
        search(one_piece, trials=2, identity="b", folder=tmp_path)
