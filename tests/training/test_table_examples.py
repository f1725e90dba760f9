"""What a network for tables learns from, and that a network that was taught learns it."""

import numpy as np
import pandas as pd
import pytest
import torch

from relprop.data.dataset import Dataset, DataTarget
from relprop.errors import InputError
from relprop.networks.family import Facts
from relprop.networks.tables import TABLE_FAMILIES
from relprop.prepare.fit_tables import fit_table
from relprop.training.objectives import TEACHER_SHARE
from relprop.training.table_examples import make_lesson, taught_examples
from relprop.training.train import Examples, train_network

RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame({"a": RANDOM.normal(size=400), "b": RANDOM.choice(["x", "y", "z"], 400)})
TRUE = ((FRAME["a"] > 0) ^ (FRAME["b"] == "x")).to_numpy()
WRONG = np.arange(400) % 20 == 0  # rows whose target is not what it should be
HIGH = TRUE ^ WRONG
ROWS = np.arange(300)
SETTINGS = {
    **{"numbers": "standard", "bins": 4, "bins_by": "quantile"},
    **{"teacher": "boosted", "copies": 2, "swap": 0.25, "mix": True},
}


def dataset(task):
    values = {
        "classes": HIGH.astype(np.int64),
        "labels": np.column_stack([HIGH, FRAME["a"] > 0]).astype(np.float32),
        "value": HIGH * 2.0 - 1.0,
    }[task]
    names = ("one",) if task == "value" else ("one", "two")
    keys = tuple(map(str, range(400)))
    kinds = {"a": "number", "b": "category"}
    parts = np.array(["train"] * 300 + ["validation"] * 100)
    return Dataset("made", "table", FRAME, keys, DataTarget(task, names, values), parts, kinds)


def targets(data, rows=ROWS):
    values = torch.from_numpy(data.target.values[rows])
    return values.float()[:, None] if data.target.task == "value" else values


def lesson_of(task, **changes):
    data, settings = dataset(task), {**SETTINGS, **changes}
    return make_lesson(
        data, ROWS, targets(data), settings, seed=0, seconds=changes.get("seconds", 60)
    )


def examples(task, **changes):
    data, lesson = dataset(task), lesson_of(task, **changes)
    preparation = fit_table(data, ROWS, SETTINGS)
    rows = Examples(preparation.apply(FRAME[:300]), targets(data))
    return preparation, taught_examples(rows, preparation, task, lesson)


def test_without_a_teacher_or_time_there_is_no_lesson():
    assert lesson_of("classes", teacher="none") is None
    assert lesson_of("classes", seconds=1e-6) is None


@pytest.mark.parametrize(("task", "low"), [("classes", 0), ("labels", 0), ("value", -1)])
def test_a_teacher_adds_rows_and_softens_targets(task, low):
    """Of rows with a wrong target it says the true one, as it was not fitted on them."""
    preparation, found = examples(task)
    inputs, soft = found.inputs, found.targets
    assert len(inputs) == len(soft) == 900
    assert torch.equal(inputs[:300], preparation.apply(FRAME[:300]))
    given = np.where(HIGH, 1, low)[:300]
    first = soft[:300, 1 if task == "classes" else 0].numpy()
    said = (first - (1 - TEACHER_SHARE) * given) / TEACHER_SHARE
    believed = said > (low + 1) / 2
    assert (believed == TRUE[:300])[~WRONG[:300]].mean() > 0.9
    assert (believed == TRUE[:300])[WRONG[:300]].mean() > 0.6
    assert lesson_of(task).models == ("boosted trees",)


def test_made_rows_have_the_labels_of_the_teacher():
    preparation, found = examples("classes", mix=False)
    features = dict(zip(preparation.columns.names, found.inputs[300:].T, strict=True))
    high = features["a"] * FRAME["a"][:300].std() > -FRAME["a"][:300].mean()
    want = high ^ (features["b is x"] > 0)
    agree = (found.targets[300:].argmax(1).bool() == want).float().mean()
    assert float(agree) > 0.95


@pytest.mark.parametrize(
    ("family", "task"), list(zip(TABLE_FAMILIES, ["classes", "labels", "value"], strict=True))
)
def test_networks_learn_them(family, task):
    data = dataset(task)
    preparation, found = examples(task, copies=1)
    facts = Facts("table", task, data.target.outputs, 300, preparation.shape)
    changes = {"width": 32, "ensemble": 4, "epochs": 8, "batch": 32, "rate": 1e-2}
    settings = {**family.default(facts), **changes}
    torch.manual_seed(0)
    network = family.build(settings, facts)
    trained = train_network(network, found, None, settings, task=task, seed=0, seconds=600)
    rows = data.rows("validation")
    scores = trained.network(preparation.apply(data.take(rows)))
    believed = scores.argmax(1) if task == "classes" else scores[:, 0] > 0
    assert (believed.numpy() == TRUE[rows]).mean() > 0.9


def test_an_unknown_teacher_is_refused():
    with pytest.raises(InputError, match="teacher is 'nobody'") as caught:
        lesson_of("classes", teacher="nobody")
    assert caught.value.allowed == '"none", "boosted", "best"'
