"""Whole fits of small tables: what is on the disk afterwards, what goes on, what is refused."""

import csv
import os
import shutil
import time
from dataclasses import replace

import numpy as np
import pandas
import pytest
import torch
from helpers.small_fits import QUICK, QUICK_SPACE, write_table
from torch import nn

from relprop.bundles.bundle import load
from relprop.bundles.data_again import read_again
from relprop.bundles.read import read_bundle
from relprop.data.fingerprint import data_fingerprint
from relprop.errors import InputError
from relprop.networks import registry
from relprop.search import first_steps, loop, request, run
from relprop.search.allocation import Allocation
from relprop.search.api import fit
from relprop.search.budget import parse_duration, write_duration

BUDGET = "5m"  # not reached: the number of trials is


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("data") / "table.csv")


@pytest.fixture(scope="module")
def fitted(table, tmp_path_factory):
    """A fit of three trials, and its folder."""
    out = tmp_path_factory.mktemp("fit") / "bundle"
    return fit(table, budget=BUDGET, trials=3, out=out, space=QUICK_SPACE), out


def read_rows(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def with_family(monkeypatch, name, build, **settings):
    """Let a family with a network of its own be searched after that of the tables."""
    known = registry.families("table")[0]

    def families(modality, encoder=""):
        own = replace(
            known,
            name=name,
            build=build,
            default=lambda facts: {**known.default(facts), **QUICK, **settings},
            space=lambda facts: {},
        )
        return known, own

    monkeypatch.setattr(run, "families", families)
    return {"families": ["mlp", name], "mlp": QUICK}


def test_the_bundle_predicts_raw_rows_as_the_metrics_and_tables_say(fitted, table):
    bundle, out = fitted
    frame = pandas.read_csv(table)
    rows = read_rows(out / "test-predictions.csv")
    assert rows[0] == ["sample", "true", "predicted", "probability no", "probability yes"]
    numbers = bundle.content.outputs["test"].rows.numpy()
    assert len(rows) - 1 == len(numbers) == bundle.metrics["accuracy"].n == 60
    predicted = bundle.predict(frame.iloc[numbers])
    assert [row[2] for row in rows[1:]] == predicted.tolist()
    assert [row[1] for row in rows[1:]] == frame["answer"].iloc[numbers].tolist()
    right = np.mean([row[1] == row[2] for row in rows[1:]])
    assert bundle.metrics["accuracy"].value == pytest.approx(right)
    assert bundle.metrics["accuracy"].low < right < bundle.metrics["accuracy"].high
    chances = bundle.predict_proba(frame.iloc[numbers])
    assert [float(row[4]) for row in rows[1:]] == pytest.approx(chances[:, 1].tolist(), abs=1e-6)


def test_the_confusion_matrix_counts_the_predictions(fitted):
    _, out = fitted
    rows = [tuple(row[1:3]) for row in read_rows(out / "test-predictions.csv")[1:]]
    table = read_rows(out / "test-confusion.csv")
    assert table[0] == ["true \\ predicted", "no", "yes"]
    for row in table[1:]:
        assert [int(n) for n in row[1:]] == [rows.count((row[0], name)) for name in ("no", "yes")]


def test_what_is_returned_is_what_is_in_the_folder(fitted, table):
    bundle, out = fitted
    loaded, frame = load(out), pandas.read_csv(table)
    assert loaded.predict_proba(frame).tolist() == bundle.predict_proba(frame).tolist()
    assert loaded.content.metrics == bundle.content.metrics
    assert (out / "report.html").stat().st_size > 1000


def test_the_leaderboard_has_the_trials_with_the_default_first_of_all(fitted):
    bundle, _ = fitted
    content = bundle.content
    assert sorted(row.number for row in content.leaderboard) == [0, 1, 2]
    default = next(row for row in content.leaderboard if row.number == 0)
    known = registry.families("table")[0]
    facts = content.members[0].facts
    assert dict(default.settings) == {**known.default(facts), **QUICK}
    assert content.score_name == "accuracy"
    assert content.counts == {"train": 289, "validation": 51, "test": 60}


def test_small_data_is_validated_on_folds_and_learned_as_a_whole(fitted):
    bundle, _ = fitted
    given = bundle.content.outputs["validation"]
    assert len(given.rows) == 289 + 51
    assert {member.facts.samples for member in bundle.content.members} == {289 + 51}
    right = (given.outputs.argmax(1) == given.targets).float().mean()
    best = max(row.score or 0 for row in bundle.content.leaderboard)
    assert float(right) >= best - 1e-6


def test_the_same_call_goes_on_and_another_search_is_refused(fitted, table, tmp_path):
    bundle, out = fitted
    more = fit(table, budget=BUDGET, trials=4, out=out, space=QUICK_SPACE)
    numbers = {row.number: row for row in more.content.leaderboard}
    assert sorted(numbers) == [0, 1, 2, 3]
    assert all(numbers[row.number] == row for row in bundle.content.leaderboard)
    for changes, what in [
        ({"data": write_table(tmp_path / "other.csv", seed=1)}, "other data"),
        ({"split": (0.2, 0.15)}, "in other parts"),
        ({"space": {}}, "another search space"),
    ]:
        call = {"data": table, "budget": BUDGET, "out": out, "space": QUICK_SPACE, **changes}
        with pytest.raises(InputError, match=f"{out} holds a search on .*{what}") as error:
            fit(call.pop("data"), **call)
        assert error.value.todo == "give another folder with --out"
    assert read_bundle(out).metrics == more.content.metrics


def test_rows_in_another_order_are_another_search(fitted, table, tmp_path):
    _, out = fitted
    pandas.read_csv(table).iloc[::-1].to_csv(tmp_path / "turned.csv", index=False)
    with pytest.raises(InputError, match="holds a search on the same data in another order"):
        fit(tmp_path / "turned.csv", budget=BUDGET, out=out, space=QUICK_SPACE)


def planned(monkeypatch, kind, seconds):
    """Let a search be divided in a way, with so many seconds for everything."""
    plan = Allocation(kind, seconds, seconds, 0.0, long=1)
    monkeypatch.setattr(first_steps, "allocate", lambda **given: plan)


def test_less_time_does_not_replace_a_model_by_a_worse_one(monkeypatch, tmp_path):
    table = write_table(tmp_path / "table.csv", rows=4000)
    space = {"families": ["mlp"], "mlp": {**QUICK, "epochs": 30}}
    call = {"budget": BUDGET, "trials": 1, "out": tmp_path / "out", "space": space}
    planned(monkeypatch, "slices", 0.05)
    first = fit(table, **call)
    trial = read_bundle(tmp_path / "out" / "search" / "trials" / "00000")
    weights = [one.members[0].weights for one in (first.content, trial)]
    assert not torch.equal(*(next(iter(one.values())) for one in weights))
    planned(monkeypatch, "single", 0.05)
    second = fit(table, **call)
    kept = second.content.members[0].weights
    assert all(torch.equal(kept[name], values) for name, values in weights[0].items())
    assert second.content.metrics == first.content.metrics
    assert second.content.seconds > first.content.seconds


def test_a_run_without_time_for_a_training_tests_the_model_of_the_one_before(
    monkeypatch, table, tmp_path
):
    call = {"budget": BUDGET, "out": tmp_path, "space": QUICK_SPACE}
    monkeypatch.setattr(run, "finish", lambda search: 1 / 0)  # the run ends before it is over
    with pytest.raises(ZeroDivisionError):
        fit(table, trials=1, **call)
    monkeypatch.undo()
    assert not read_bundle(tmp_path).metrics
    time_training = first_steps.time_training
    monkeypatch.setattr(
        first_steps, "time_training", lambda *given: replace(time_training(*given), step=1e6)
    )
    assert fit(table, trials=1, **call).metrics["accuracy"].value > 0.6
    shutil.rmtree(tmp_path / "search")  # a new search has no model of its own
    with pytest.raises(InputError, match="too small for one training"):
        fit(table, trials=1, **call)
    assert read_bundle(tmp_path).metrics


def test_the_model_of_an_ended_run_stays_until_the_next_one_ends(monkeypatch, table, tmp_path):
    call = {"budget": BUDGET, "out": tmp_path, "space": QUICK_SPACE}
    first = fit(table, trials=1, **call)
    monkeypatch.setattr(loop, "is_better", lambda *_: True)  # any other model is
    monkeypatch.setattr(run, "finish", lambda search: 1 / 0)  # the run ends before it is over
    with pytest.raises(ZeroDivisionError):
        fit(table, trials=2, **call)
    assert read_bundle(tmp_path).metrics == first.content.metrics
    assert (tmp_path / "report.html").exists()


@pytest.mark.slow
def test_a_run_that_goes_on_reads_the_samples_of_the_first(monkeypatch, tmp_path):
    table = write_table(tmp_path / "table.csv", rows=40_000)
    monkeypatch.setattr(request, "free_memory", lambda: 1_000_000)
    call = {"budget": BUDGET, "out": tmp_path / "out", "space": QUICK_SPACE}
    first = fit(table, trials=1, **call)
    assert sum(first.content.counts.values()) < 30_000
    monkeypatch.setattr(request, "free_memory", lambda: 1_500_000)
    second = fit(table, trials=2, **call)
    assert second.content.counts == first.content.counts
    read = read_again(second.content, str(table))
    assert data_fingerprint(read) == second.content.fingerprints["data"]


def test_on_busy_cores_a_step_that_seems_slow_is_timed_again_with_one_thread(
    monkeypatch, table, tmp_path
):
    timed, time_training = [], first_steps.time_training

    def waiting(*given):
        timed.append(torch.get_num_threads())
        found = time_training(*given)
        return replace(found, step=100.0) if timed[-1] > 1 else found

    monkeypatch.setattr(first_steps, "time_training", waiting)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    call = {"budget": "1m", "trials": 1, "space": QUICK_SPACE}
    try:
        monkeypatch.setattr(os, "getloadavg", lambda: (0.5, 0.5, 0.5))
        with pytest.raises(InputError, match="too small for one training"):
            fit(table, out=tmp_path / "calm", **call)
        monkeypatch.setattr(os, "getloadavg", lambda: (1000.0, 1000.0, 1000.0))
        assert fit(table, out=tmp_path / "busy", **call).metrics
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert timed == [2, 2, 1]


def test_a_test_part_in_memory_is_the_test_part(table, tmp_path):
    frame = pandas.read_csv(table)
    others = frame[::10].reset_index(drop=True)
    given = {"target": "answer", "test": others, "budget": BUDGET, "trials": 1}
    bundle = fit(frame.drop(frame.index[::10]), out=tmp_path / "out", space=QUICK_SPACE, **given)
    assert bundle.metrics["accuracy"].n == len(others)
    right = (bundle.predict(others) == others["answer"]).mean()
    assert bundle.metrics["accuracy"].value == pytest.approx(right)


def test_groups_stay_together_to_the_end(tmp_path):
    table = write_table(tmp_path / "table.csv", rows=600)
    frame = pandas.read_csv(table)
    frame["person"] = np.arange(600) // 10
    bundle = fit(
        frame,
        target="answer",
        group="person",
        budget=BUDGET,
        trials=1,
        out=tmp_path / "out",
        space=QUICK_SPACE,
    )
    content = bundle.content
    assert {member.facts.samples for member in content.members} == {content.counts["train"]}
    assert len(content.outputs["validation"].rows) == content.counts["validation"]


def test_a_budget_that_is_too_small_is_refused_with_what_is_needed(table, tmp_path):
    with pytest.raises(InputError, match="a budget of 1s, which is too small") as error:
        fit(table, budget="1s", out=tmp_path / "out", space=QUICK_SPACE)
    needed = error.value.todo.removeprefix("write --budget ").split(",")[0]
    assert needed in error.value.allowed
    enough = write_duration(3 * parse_duration(needed))  # other programs may slow the machine
    assert fit(table, budget=enough, trials=1, out=tmp_path / "out", space=QUICK_SPACE).metrics


class Hungry(nn.Module):
    """Takes 3 GB as soon as it runs."""

    def __init__(self, settings, facts):
        super().__init__()
        self.linear = nn.Linear(facts.shape[0], facts.outputs)

    def forward(self, x):
        return self.linear(x) + torch.ones(750_000_000).sum() * 0


class Slow(Hungry):
    """Takes a minute for its first step, between whose operations there is Python."""

    def forward(self, x):
        for _ in range(6000):
            time.sleep(0.01)
        return self.linear(x)


class Diverging(Hungry):
    """Gives what is no number."""

    def forward(self, x):
        return self.linear(x) * float("inf")


@pytest.mark.slow
def test_a_trial_that_runs_out_of_memory_is_recorded_and_the_search_goes_on(
    monkeypatch, table, tmp_path
):
    space = with_family(monkeypatch, "hungry", Hungry)
    out = tmp_path / "out"
    bundle = fit(table, budget=BUDGET, memory="2GB", trials=3, out=out, space=space)
    rows = {row.number: row for row in bundle.content.leaderboard}
    assert (rows[1].family, rows[1].state, rows[1].score) == ("hungry", "memory", None)
    assert "allocate" in rows[1].note
    assert len(rows) == 3
    assert {member.family for member in bundle.content.members} == {"mlp"}


def test_a_trial_that_diverges_is_recorded_and_the_search_goes_on(monkeypatch, table, tmp_path):
    space = with_family(monkeypatch, "diverging", Diverging)
    bundle = fit(table, budget=BUDGET, trials=3, out=tmp_path / "out", space=space)
    rows = {row.number: row for row in bundle.content.leaderboard}
    assert (rows[1].state, rows[1].score) == ("diverged", None)
    assert len(rows) == 3


@pytest.mark.slow
def test_the_budget_is_kept_though_a_trial_would_run_over(monkeypatch, fitted, table, tmp_path):
    space = with_family(monkeypatch, "slow", Slow)
    begun = time.monotonic()
    bundle = fit(table, budget="40s", out=tmp_path / "out", space=space)
    assert time.monotonic() - begun <= 1.05 * 40
    slow = next(row for row in bundle.content.leaderboard if row.family == "slow")
    assert slow.state == "failed"
    assert "not ended after" in slow.note
    assert bundle.metrics["accuracy"].n == 60


def test_a_search_without_any_model_says_why(monkeypatch, table, tmp_path):
    known = registry.families("table")[0]
    own = replace(
        known, name="none", build=Diverging, default=lambda f: {**known.default(f), **QUICK}
    )
    monkeypatch.setattr(run, "families", lambda modality, encoder="": (own,))
    with pytest.raises(InputError, match=r"none of 2 trials gave a model: diverged"):
        fit(table, budget=BUDGET, trials=2, out=tmp_path / "out")


def test_values_are_fitted_in_their_own_units(tmp_path):
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 2))
    frame = pandas.DataFrame({"a": x[:, 0], "b": x[:, 1], "price": 1000 + 50 * x[:, 0]})
    space = {"families": ["mlp"], "mlp": {**QUICK, "epochs": 30}}
    bundle = fit(frame, target="price", budget=BUDGET, trials=1, out=tmp_path / "out", space=space)
    rows = bundle.content.outputs["test"].rows.numpy()
    true, predicted = frame["price"].to_numpy()[rows], bundle.predict(frame.iloc[rows])
    r2 = 1 - ((true - predicted) ** 2).sum() / ((true - true.mean()) ** 2).sum()
    assert bundle.metrics["R^2"].value == pytest.approx(r2, abs=1e-4)
    error = bundle.metrics["mean absolute error"].value
    assert error == pytest.approx(np.abs(true - predicted).mean(), rel=1e-4)
    table = read_rows(tmp_path / "out" / "test-predictions.csv")
    assert [float(row[2]) for row in table[1:]] == pytest.approx(predicted.tolist(), rel=1e-5)


def test_several_labels_are_fitted_together(tmp_path):
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 3))
    frame = pandas.DataFrame(
        {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "up": x[:, 0] > 0, "far": x[:, 1] > 0.5}
    ).astype({"up": int, "far": int})
    bundle = fit(
        frame,
        labels=["up", "far"],
        budget=BUDGET,
        trials=1,
        out=tmp_path / "out",
        space=QUICK_SPACE,
    )
    rows = bundle.content.outputs["test"].rows.numpy()
    right = bundle.predict(frame.iloc[rows]) == frame[["up", "far"]].to_numpy()[rows]
    assert bundle.metrics["share of right labels"].value == pytest.approx(right.mean())
    assert bundle.content.score_name == "mean average precision"


def test_data_in_memory_cannot_be_searched_by_several_processes(tmp_path):
    with pytest.raises(InputError, match="workers=2 for data in memory"):
        fit(pandas.DataFrame({"a": [1]}), workers=2, out=tmp_path / "out")


def save_encoder(path):
    """A tiny random BERT with a tokenizer of a few words."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    names = ["[PAD]", "[UNK]", "good", "bad", "film"]
    words = Tokenizer(models.WordLevel({n: i for i, n in enumerate(names)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(path)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=len(names), intermediate_size=16, **sizes)
    transformers.BertModel(config).save_pretrained(path)
    return path


@pytest.mark.slow
def test_a_bundle_of_an_encoder_needs_its_folder_no_more(tmp_path):
    folder = save_encoder(tmp_path / "encoder")
    films = [f"{'good' if i % 2 else 'bad'} {'film ' * (i % 5)}" for i in range(80)]
    table = pandas.DataFrame(
        {"text": films, "mood": ["up" if i % 2 else "down" for i in range(80)]}
    )
    out = tmp_path / "bundle"
    # rows repeat, and stay in one part if they do: each gets a number
    table["text"] += [f" {i}" for i in range(80)]
    options = {"target": "mood", "modality": "text", "encoder": folder}
    fitted = fit(table, **options, budget=BUDGET, trials=1, out=out)
    expected = fitted.predict_proba(["good film", "bad film"])
    assert (expected[0] != expected[1]).all()
    folder.rename(tmp_path / "moved")
    bundle = load(out)
    assert str(tmp_path) not in (out / "bundle.json").read_text()
    assert str(folder) not in (out / "report.html").read_text()
    np.testing.assert_array_equal(bundle.predict_proba(["good film", "bad film"]), expected)
