"""The final model of a fit: several averaged, or one that learns most of the validation part."""

import time

import pandas
import pytest
import torch
from helpers.small_fits import QUICK, QUICK_SPACE, write_table

from relprop.bundles.read import read_bundle
from relprop.search import final, first_steps, loop
from relprop.search.allocation import Allocation
from relprop.search.api import fit
from relprop.search.study import SharedStudy

BUDGET = "5m"  # not reached: the number of trials is


@pytest.fixture
def imported(tmp_path):
    """All libraries of a fit, whose import may take long."""
    table = write_table(tmp_path / "small.csv")
    fit(table, budget=BUDGET, trials=1, out=tmp_path / "small", space=QUICK_SPACE)


def test_a_larger_table_is_validated_on_its_validation_part_and_averaged(monkeypatch, tmp_path):
    monkeypatch.setattr(loop, "choose_average", lambda outputs, *_: tuple(range(len(outputs)))[:2])
    whole = Allocation("whole", 60.0, 1.0, 240.0)
    monkeypatch.setattr(first_steps, "allocate", lambda **given: whole)
    monkeypatch.setattr(SharedStudy, "should_stop", lambda *_: False)
    table = write_table(tmp_path / "table.csv", rows=6000)
    alike = {**QUICK, "numbers": "standard", "bins": 8, "bins_by": "quantile"}
    space = {"families": ["mlp"], "mlp": alike}
    bundle = fit(table, budget=BUDGET, trials=3, out=tmp_path / "out", space=space)
    content = bundle.content
    assert len(content.outputs["validation"].rows) == content.counts["validation"]
    assert len(content.members) == 2
    assert {member.facts.samples for member in content.members} == {content.counts["train"]}
    assert {point.member for point in content.curves} == set(range(len(content.members)))


@pytest.mark.parametrize("worse", [False, True])
def test_the_best_learns_most_of_the_validation_part_unless_it_gets_worse(
    monkeypatch, tmp_path, worse
):
    if worse:
        monkeypatch.setattr(final, "is_better", lambda *_: True)
        monkeypatch.setattr(final, "score", lambda *_: float("inf"))  # nothing is kept on the way
    table = write_table(tmp_path / "table.csv", rows=6000)
    bundle = fit(table, budget=BUDGET, trials=1, out=tmp_path / "out", space=QUICK_SPACE)
    content, (member,) = bundle.content, bundle.content.members
    parts, watched = content.counts, content.outputs["validation"]
    if worse:
        assert member.facts.samples == parts["train"]
        assert len(watched.rows) == parts["validation"]
        return
    assert len(watched.rows) == -(-parts["validation"] // 5)
    assert member.facts.samples == parts["train"] + parts["validation"] - len(watched.rows)
    frame = pandas.read_csv(table)
    predicted = bundle.predict(frame.iloc[watched.rows.numpy()])
    assert [content.target_names[k] for k in watched.outputs.argmax(1)] == predicted.tolist()


@pytest.mark.slow
def test_where_there_is_time_for_one_training_it_learns_most_of_validation(monkeypatch, tmp_path):
    single = Allocation("single", 60.0, 60.0, 0.0)
    monkeypatch.setattr(first_steps, "allocate", lambda **given: single)
    table = write_table(tmp_path / "large.csv", rows=4000)
    content = fit(table, budget=BUDGET, out=tmp_path / "out", space=QUICK_SPACE).content
    assert content.counts == {"train": 2889, "validation": 510, "test": 601}
    assert [row.number for row in content.leaderboard] == [0]
    assert content.members[0].facts.samples == 2889 + 408
    assert len(content.outputs["validation"].rows) == 102
    # with time for more, what was given for other samples is not compared
    monkeypatch.undo()
    more = fit(table, budget=BUDGET, trials=2, out=tmp_path / "out", space=QUICK_SPACE).content
    assert sorted(row.number for row in more.leaderboard) == [0, 1]


SLOW = {"marks": pytest.mark.slow}


@pytest.mark.parametrize(
    "case", ["better", pytest.param("worse", **SLOW), pytest.param("no time", **SLOW)]
)
def test_several_long_trainings_are_averaged_unless_that_is_worse(monkeypatch, tmp_path, case):
    slices = Allocation("slices", 60.0, 60.0, 0.0, long=3)
    monkeypatch.setattr(first_steps, "allocate", lambda **given: slices)
    monkeypatch.setattr(final, "beats", lambda *_: case == "worse")
    if case == "no time":  # of the first training the others would have too small a part
        monkeypatch.setattr(final, "_ENOUGH", 1e6)
    table = write_table(tmp_path / "table.csv", rows=4000)
    bundle = fit(table, budget=BUDGET, trials=1, out=tmp_path / "out", space=QUICK_SPACE)
    content, watched = bundle.content, bundle.content.outputs["validation"]
    assert len(content.members) == (3 if case == "better" else 1)
    assert {member.facts.samples for member in content.members} == {2889 + 408}
    trial = read_bundle(tmp_path / "out" / "search" / "trials" / "00000")
    assert {member.facts.samples for member in trial.members} == {2889}
    assert {point.member for point in content.curves} == set(range(len(content.members)))
    first, *others = content.members
    name = next(iter(first.weights))
    assert all(not torch.equal(one.weights[name], first.weights[name]) for one in others)
    frame = pandas.read_csv(table).iloc[watched.rows.numpy()]
    given = bundle.outputs(bundle.prepare(frame))
    torch.testing.assert_close(given, watched.outputs, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_long_trainings_are_chosen_by_short_ones_and_learn_most_of_validation(imported, tmp_path):
    table = write_table(tmp_path / "table.csv", rows=6000)
    space = {"families": ["mlp"], "mlp": {**QUICK, "epochs": 100_000}}
    begun = time.monotonic()
    bundle = fit(table, budget="60s", out=tmp_path / "out", space=space)
    assert time.monotonic() - begun <= 1.05 * 60
    content, (member,) = bundle.content, bundle.content.members
    parts = content.counts
    watched = len(content.outputs["validation"].rows)
    assert watched == -(-parts["validation"] // 5)
    assert member.facts.samples == parts["train"] + parts["validation"] - watched
    longest = max(row.seconds for row in content.leaderboard)
    assert content.curves[-1].seconds > 2 * longest
    assert dict(member.settings) in [dict(row.settings) for row in content.leaderboard]
