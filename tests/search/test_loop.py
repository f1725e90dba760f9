"""The search: which model is the best so far, also where several processes share a study."""

import threading
import time
from dataclasses import replace

import pytest
import torch
from helpers.small_fits import FACTS, TRAINING, numbers, small_family
from torch import nn

from relprop.bundles.content import LeaderboardRow
from relprop.bundles.read import read_bundle
from relprop.search import trial
from relprop.search.allocation import Allocation
from relprop.search.budget import Deadline
from relprop.search.contents import Origin
from relprop.search.folds import all_rows, make_folds
from relprop.search.loop import Search
from relprop.search.model import train_model
from relprop.search.prepared import PreparedData
from relprop.search.shelf import Shelf
from relprop.search.space import narrow_spaces
from relprop.search.study import SharedStudy
from relprop.search.trial import Setup
from relprop.support.progress import Progress

DATASET = numbers()
TRAIN, VALIDATION = DATASET.rows("train"), DATASET.rows("validation")
BOTH = DATASET.rows("train", "validation")
TABLE = {"numbers": "standard", "bins": 0, "bins_by": "quantile", "teacher": "none"}


def family(name, build=lambda settings, facts: nn.Linear(facts.shape[0], facts.outputs)):
    default = {**TRAINING, **TABLE, "rate": 0.05, "epochs": 20, "width": 8, "members": 1}
    return replace(small_family(name), build=build, default=lambda facts: default)


def search_in(folder, *families, kind="folds", seconds=60.0, usual=0.1, trials=None, style="quiet"):
    """Return a search as one process has it; several may be in one folder."""
    folds = make_folds(DATASET, BOTH, 3, 0) if kind == "folds" else ()
    known = {one.name: one for one in families}
    data = PreparedData(DATASET, kept=8)
    setup = Setup(data, known, TRAIN, VALIDATION, folds, True, 0, "cpu", None)
    spaces, deadline = narrow_spaces(families, FACTS, {}), Deadline.of_call(seconds)
    return Search(
        setup,
        SharedStudy(folder / "search", spaces, 0),
        Shelf(folder / "search" / "trials", len(setup.compared)),
        Origin(DATASET, {"data": "", "split": ""}),
        Allocation(kind, 60.0, usual, 60.0),
        deadline,
        deadline,
        folder,
        trials,
        5,
        lambda: True,
        Progress(style),
    )


class Constant(nn.Module):
    """Says the same of all samples."""

    def __init__(self, settings, facts):
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(facts.outputs))

    def forward(self, x):
        return self.scores.expand(len(x), -1)


@pytest.mark.parametrize("moment", [1, 2])
def test_a_worse_model_of_a_slower_process_does_not_replace_a_better_one(tmp_path, moment):
    """The other process runs while the first trains its model, or while it validates it."""
    built = []

    def build(settings, facts):
        built.append(settings)
        if len(built) == moment:
            search_in(tmp_path, worse, better, trials=2).run()
        return Constant(settings, facts)

    worse, better = family("worse", build), family("better")
    search = search_in(tmp_path, worse, better, trials=1)
    search.run()
    assert {row.number: row.score for row in search.study.rows()}[1] > 0.5
    assert search.study.leader == 1
    assert read_bundle(tmp_path).members[0].family == "better"


class Sleepy(nn.Linear):
    """Takes 0.3 s for a batch that it learns: 18 s for a training."""

    def forward(self, x):
        time.sleep(0.3 * self.training)
        return super().forward(x)


def test_a_slow_trial_does_not_take_the_time_that_is_kept_for_the_end(tmp_path):
    slow = family("slow", lambda settings, facts: Sleepy(facts.shape[0], facts.outputs))
    search = search_in(tmp_path, family("fast"), slow, kind="whole", trials=1)
    search.run()
    explore = search.deadline.spent() + 2
    replace(search, allocation=Allocation("whole", 60.0, 0.5, explore), trials=2).run()
    row = next(row for row in search.study.rows() if row.family == "slow")
    assert row.state in ("time", "pruned")
    assert row.seconds < 5


class Diverging(nn.Module):
    """Gives what is no number."""

    def __init__(self, settings, facts):
        super().__init__()
        self.linear = nn.Linear(facts.shape[0], facts.outputs)

    def forward(self, x):
        return self.linear(x) * float("inf")


def test_a_model_whose_validation_fails_is_not_the_best_for_good(tmp_path):
    kinds = [Constant, Diverging]  # on everything, and on the first fold
    odd = family("odd", lambda settings, facts: kinds.pop(0)(settings, facts))
    search = search_in(tmp_path, odd, family("other"), trials=2)
    search.run()
    assert [(row.number, row.state) for row in search.study.rows()] == [
        (1, "done"),
        (0, "diverged"),
    ]
    assert search.study.leader == 1
    assert read_bundle(tmp_path).members[0].family == "other"


class Slow(nn.Module):
    """Takes a while for each step, if it is to."""

    pause = 0.0

    def __init__(self, settings, facts):
        super().__init__()
        self.linear = nn.Linear(facts.shape[0], facts.outputs)

    def forward(self, x):
        time.sleep(self.pause)
        return self.linear(x)


def test_what_there_was_no_time_to_validate_is_validated_where_there_is(tmp_path):
    one = family("one")
    first = search_in(tmp_path, one, usual=1000.0)
    first.run()
    assert [(row.state, row.score) for row in first.study.rows()] == [("done", None)]
    search = search_in(tmp_path, one, trials=2)
    search.run()
    scores = {row.number: row.score for row in search.study.rows()}
    assert scores[1] > 0.5
    assert search.study.leader == 1


@pytest.fixture
def hurried(tmp_path, monkeypatch):
    """A family whose default had time for one step of its training."""
    slow = family("slow", Slow)
    with monkeypatch.context() as patch:
        patch.setattr(Slow, "pause", 1.0)
        patch.setattr(trial, "_GRACE_SECONDS", 60.0)  # it is to look at the clock itself
        search = search_in(tmp_path, slow, seconds=1.0)
        search.run()
    (row,) = search.study.rows()
    assert (row.state, row.score) == ("time", None)
    return slow


def test_what_had_little_time_is_trained_again_where_there_is_more(tmp_path, hurried):
    search = search_in(tmp_path, hurried, trials=2)
    search.run()
    assert search.study.leader == 1
    recipe = search.setup.recipe(search.study.rows()[0])
    whole = train_model(search.setup.data, recipe, all_rows(search.setup.folds), None, seconds=60)
    weights = search.shelf.model(1).members[0].weights
    assert torch.equal(weights["linear.weight"], whole.networks[0].linear.weight)


def test_a_trial_that_another_process_gave_back_is_run(tmp_path):
    one = family("one")
    other, search = (search_in(tmp_path, one, trials=1) for _ in range(2))
    attempt = other.study.ask(1)
    search.run()
    assert search.study.rows() == ()
    other.study.give_back(attempt)
    search.go_on()
    assert [(row.family, row.state) for row in search.study.rows()] == [("one", "done")]


def test_the_best_settings_wait_once_whatever_number_of_processes_goes_on(tmp_path, hurried):
    for _ in range(3):
        search_in(tmp_path, hurried, trials=1).run()  # one is done: none is run
    search = search_in(tmp_path, hurried, trials=3)
    search.run()
    settings = [dict(row.settings) for row in search.study.rows()]
    assert len(settings) == 3
    assert settings.count(hurried.default(FACTS)) == 2


def validated(folder):
    """Run a search of two trials that are validated on the validation part."""
    search = search_in(folder, family("one"), family("other"), kind="whole", trials=2)
    search.run()
    assert len(search.study.rows()) == 2
    return search


def while_another_process(search, change, run):
    """Run something while another process, which has the study alone, is about to change it."""
    other, began = search_in(search.out, family("one"), family("other"), kind="whole"), []

    def hold():
        with other.study.alone():
            began.append(True)
            time.sleep(0.3)
            change()

    thread = threading.Thread(target=hold)
    thread.start()
    while not began:
        time.sleep(0.01)
    found = run()
    thread.join()
    return found


def test_what_another_process_removes_is_not_averaged(tmp_path):
    search = validated(tmp_path)
    leader, second = sorted(search.study.rows(), key=lambda row: row.number != search.study.leader)
    right = nn.functional.one_hot(search.setup.targets)
    search.shelf.put_outputs(second.number, search.shelf.outputs(leader.number) + right)

    def average():
        return [row.number for row, _ in search.together(leader)]

    assert average() == [leader.number, second.number]
    chosen = while_another_process(search, lambda: search.shelf.remove([second.number]), average)
    assert chosen == [leader.number]


def test_models_of_other_preparations_are_not_chosen_for_an_average(tmp_path):
    one, two = family("one"), family("two")
    other = {**two.default(FACTS), "numbers": "quantile"}
    search = search_in(tmp_path, one, replace(two, default=lambda facts: other), trials=2)
    search.run()
    leader, second = sorted(search.study.rows(), key=lambda row: row.number != search.study.leader)
    right = nn.functional.one_hot(search.setup.targets)
    search.shelf.put_outputs(second.number, search.shelf.outputs(leader.number) + right)
    assert [row.number for row, _ in search.together(leader)] == [leader.number]


def test_a_better_trial_is_the_best_when_there_is_time_to_train_it_on_everything(tmp_path):
    families = family("bad", Constant), family("good")
    search_in(tmp_path, *families, trials=1).run()
    search = search_in(tmp_path, *families, trials=2)
    ended = []

    class OverAfterValidation(Deadline):
        def left(self):
            return 0.0 if ended else super().left()

    tell = search.study.tell
    search.study.tell = lambda *given: (tell(*given), ended.append(True))
    over = OverAfterValidation(search.deadline.start, search.deadline.seconds)
    replace(search, deadline=over).run()
    assert {row.number: row.family for row in search.study.rows()} == {0: "bad", 1: "good"}
    assert read_bundle(tmp_path).members[0].family == "bad"
    again = search_in(tmp_path, *families, trials=2)
    again.run()
    assert again.study.leader == 1
    (member,) = read_bundle(tmp_path).members
    assert (member.family, member.facts.samples) == ("good", len(BOTH))


def test_one_process_at_a_time_writes_the_bundle(tmp_path):
    search = validated(tmp_path)
    content, found = replace(read_bundle(tmp_path), seconds=123.0), []
    while_another_process(
        search,
        lambda: found.append(read_bundle(tmp_path).seconds),
        lambda: search.write(content),
    )
    assert found[0] < 123
    assert read_bundle(tmp_path).seconds == 123


def test_the_best_that_is_shown_is_not_a_score_of_a_trial_that_was_stopped(tmp_path, capsys):
    search = search_in(tmp_path, family("one"), family("other"), trials=2, style="lines")
    stopped = search.study.ask()
    row = LeaderboardRow(0, "one", dict(stopped.settings), "pruned", 0.9999, 5.0, 1.0)
    search.study.tell(stopped, row)
    search.run()
    scores = {row.number: row.score for row in search.study.rows()}
    assert f"best {scores[1]:.4f} of 2" in capsys.readouterr().err
