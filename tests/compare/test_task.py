"""Preparing a comparison: which images each model classifies, and which columns curves have."""

from dataclasses import replace

import pytest
from helpers.comparison import COUNT, METHODS, MODEL
from helpers.idx_files import write_digits

import relprop
from relprop.compare import Settings, compare
from relprop.compare.tables import tables
from relprop.compare.task import prepare_task
from relprop.errors import InputError
from relprop.evaluate import classification_summary, predict
from relprop.models import model_card, save_model


def test_columns_are_those_of_the_steps_and_of_q(settings):
    task = prepare_task(settings)
    assert task.removed_counts == (24, 157, 314, 470, 627, 784)  # 24 is 3 %
    assert task.step_columns == (0, 2, 3, 4, 5, 6)


def test_the_record_has_plain_values_alone(settings):
    record = prepare_task(settings).record
    assert record["methods"] == list(METHODS)
    assert record["digits"] == {"mnist": COUNT}
    assert set(record["hashes"]) == {"mnist", MODEL}
    assert "data_dir" not in record


def save_own_model(folder, family):
    """Save the model of the other tests as a user's file, with a card that names a data set."""
    card = replace(model_card(MODEL), name="own", family=family)
    save_model(relprop.load_model(MODEL), folder / "own.safetensors", card)
    return str(folder / "own.safetensors")


def test_each_model_classifies_the_images_that_its_card_names(digits, tmp_path):
    own = save_own_model(tmp_path, "fashion-mnist")
    dark = replace(digits, images=digits.images[:40] / 2, labels=digits.labels[:40])
    for family, images in (("mnist", digits), ("fashion-mnist", dark)):
        write_digits(tmp_path / family, images)
    settings = Settings((own, MODEL), METHODS, digits=None, steps=2, data_dir=tmp_path)
    comparison = compare(settings, tmp_path / "out")
    first, second = comparison.results
    model = relprop.load_model(MODEL)
    for result, family, images in ((first, "fashion-mnist", dark), (second, "mnist", digits)):
        assert result.data == family
        expected = classification_summary(predict(model, images.images), images.labels)
        assert result.untouched.error_rate == expected.error_rate
        assert result.untouched.correct.mean == pytest.approx(expected.correct.mean, abs=1e-5)
        assert result.best.faithfulness.srg.n == len(images.labels)
    assert [(data.name, data.used, data.available) for data in comparison.data] == [
        ("fashion-mnist", 40, 40),
        ("mnist", COUNT, COUNT),
    ]
    assert "40 of 40: Fashion-MNIST test split" in " ".join(tables(comparison).split())


def test_a_model_whose_card_names_no_data_set_needs_one_named(data, tmp_path):
    own = save_own_model(tmp_path, "")
    settings = Settings((own,), METHODS[:1], digits=2, steps=2, data_dir=data)
    with pytest.raises(InputError, match=r"own\.safetensors, which does not say") as caught:
        compare(settings, tmp_path / "out")
    assert caught.value.todo == "write --data mnist or --data fashion-mnist"
    assert compare(replace(settings, data="mnist"), tmp_path / "out").results[0].data == "mnist"
