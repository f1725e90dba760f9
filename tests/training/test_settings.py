"""Settings of a training: read from all settings of a trial, typed, and checked."""

import pytest

from relprop.errors import InputError
from relprop.training.settings import TrainingSettings

NEEDED = {"optimiser": "adamw", "rate": 0.1, "decay": 0.01, "batch": 32, "epochs": 5}


def test_settings_of_others_are_left_alone_and_whole_numbers_are_rates():
    read = TrainingSettings.of({**NEEDED, "rate": 1, "epochs": 5.0, "width": 64, "average": 0.9})
    assert read == TrainingSettings("adamw", 1.0, 0.01, 32, 5, average=0.9)


def test_the_last_batch_of_an_epoch_counts():
    assert TrainingSettings.of(NEEDED).steps(65) == 15


def test_missing_settings_are_named():
    some = {name: value for name, value in NEEDED.items() if name not in ("rate", "batch")}
    with pytest.raises(InputError, match=r"without rate and batch\n.*\n.*add rate=0\.1, batch=128"):
        TrainingSettings.of(some)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("optimiser", "adam-w", r'optimiser is \'adam-w\'\n.*"sgd", "adamw"\n.*write "adamw"'),
        ("optimiser", 3, "optimiser is 3\n.*a word"),
        ("batch", 1.5, r"batch is 1\.5\n.*a whole number\n.*batch=128"),
        ("batch", 0, "batch is 0\n.*from 1 to below inf"),
        ("epochs", float("inf"), "epochs is inf\n.*a whole number"),
        ("epochs", True, "epochs is True\n.*a whole number"),
        ("rate", 0, r"rate is 0\.0\n"),
        ("rate", float("nan"), "rate is nan"),
        ("smoothing", 1, r"smoothing is 1\.0\n.*from 0 to below 1\n.*smoothing=0\.1"),
        ("decay", -1, r"decay is -1\.0"),
    ],
)
def test_wrong_values_are_refused(name, value, message):
    with pytest.raises(InputError, match=message):
        TrainingSettings.of({**NEEDED, name: value})
