"""Samples as tensors, prepared once for all trials that prepare them alike."""

from dataclasses import replace

import numpy as np
import torch
from helpers.small_fits import numbers

from relprop.data.dataset import DataTarget
from relprop.search.prepared import PreparedData
from relprop.training import table_examples

SETTINGS = {
    **{"numbers": "standard", "bins": 0, "bins_by": "quantile"},
    **{"teacher": "none", "width": 8, "rate": 1e-2},
}
DATASET = numbers()
TRAIN = DATASET.rows("train")


def test_settings_of_networks_do_not_prepare_again_and_those_of_samples_do():
    data = PreparedData(DATASET, kept=3)
    first = data.preparation(TRAIN, SETTINGS)
    assert data.preparation(TRAIN, {**SETTINGS, "width": 16, "rate": 1.0}) is first
    other = data.preparation(TRAIN, {**SETTINGS, "bins": 4})
    assert other is not first
    assert other.shape != first.shape
    assert data.preparation(TRAIN[:50], SETTINGS) is not first
    assert data.preparation(TRAIN, SETTINGS) is first


def test_what_was_prepared_long_ago_is_forgotten():
    data = PreparedData(DATASET, kept=2)
    first = data.preparation(TRAIN, SETTINGS)
    for bins in (4, 8):
        data.preparation(TRAIN, {**SETTINGS, "bins": bins})
    assert data.preparation(TRAIN, SETTINGS) is not first


def test_inputs_are_those_of_the_preparation():
    data = PreparedData(DATASET)
    preparation = data.preparation(TRAIN, SETTINGS)
    rows = DATASET.rows("validation")
    wanted = preparation.apply(DATASET.take(rows))
    assert torch.equal(data.inputs(preparation, rows), wanted)
    assert data.inputs(preparation, rows) is data.inputs(preparation, rows)
    learned = data.learned(TRAIN, SETTINGS, seconds=60).examples
    assert torch.equal(learned.inputs, preparation.apply(DATASET.take(TRAIN)))
    assert learned.targets.tolist() == DATASET.target.values[TRAIN].tolist()


TAUGHT = {**SETTINGS, "teacher": "boosted", "copies": 1, "swap": 0.3, "mix": False}


def test_a_teacher_is_asked_again_where_there_is_more_time(monkeypatch):
    data, asked, teach = PreparedData(DATASET), [], table_examples.teach

    def counted(*given, seconds, **options):
        asked.append(seconds)
        return teach(*given, seconds=seconds, **options)

    monkeypatch.setattr(table_examples, "teach", counted)
    for seconds in (1e-9, 1.2e-9):
        found = data.learned(TRAIN, TAUGHT, seconds=seconds)
        assert found.note.startswith("no teacher: there was no time")
        assert len(found.examples.inputs) == len(TRAIN)
    assert data.learned(TRAIN, SETTINGS, seconds=60).note == ""
    found = data.learned(TRAIN, TAUGHT, seconds=60)
    assert found.note == ""
    assert len(found.examples.inputs) == 2 * len(TRAIN)
    assert asked == [1e-9, 60]  # not in hardly more time than was too short


def test_one_lesson_serves_all_preparations():
    """What there would be no time to say a second time is said."""
    data = PreparedData(DATASET)
    said = data.learned(TRAIN, TAUGHT, seconds=60).examples
    again = data.learned(TRAIN, {**TAUGHT, "bins": 4}, seconds=1e-9).examples
    assert torch.equal(again.targets, said.targets)
    assert again.inputs.shape != said.inputs.shape
    assert data.learned(TRAIN, TAUGHT, seconds=1e-9).examples is said
    other = data.learned(TRAIN, {**TAUGHT, "swap": 0.1}, seconds=60).examples
    assert not torch.equal(other.targets, said.targets)


def test_values_are_standardised_by_the_training_part():
    values = np.arange(120.0) * 3 + 7
    dataset = replace(DATASET, target=DataTarget("value", ("price",), values))
    data = PreparedData(dataset)
    inside = values[dataset.rows("train")]
    assert (data.scale.mean, data.scale.std) == (inside.mean(), inside.std())
    targets = data.targets(dataset.rows("test"))
    assert targets.shape == (24, 1)
    wanted = (values[dataset.rows("test")] - inside.mean()) / inside.std()
    torch.testing.assert_close(targets[:, 0], torch.tensor(wanted, dtype=torch.float32))


def test_labels_are_numbers_of_0_and_1():
    labels = np.random.default_rng(0).integers(0, 2, (120, 2)).astype(np.float32)
    dataset = replace(DATASET, target=DataTarget("labels", ("up", "far"), labels))
    found = PreparedData(dataset).targets(TRAIN)
    assert found.dtype is torch.float32
    assert found.tolist() == labels[TRAIN].tolist()


def test_facts_are_those_of_prepared_samples():
    data = PreparedData(DATASET)
    facts = data.facts(data.preparation(TRAIN, {**SETTINGS, "bins": 4}), 72)
    assert (facts.modality, facts.task, facts.outputs, facts.samples) == ("table", "classes", 3, 72)
    assert facts.shape == data.preparation(TRAIN, {**SETTINGS, "bins": 4}).shape
    assert data.rough_facts(72).shape == (4,)
