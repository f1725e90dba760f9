"""What a user asks of a fit, checked before anything is read."""

import numpy as np
import pytest
import torch
from helpers.small_fits import numbers

from relprop.errors import InputError
from relprop.search.folds import make_folds
from relprop.search.model import trial_seed
from relprop.search.settings import FitSettings, parse_settings

GIVEN = {
    **{"out": "bundle", "budget": "10m", "trials": None, "memory": None, "workers": 1},
    **{"seed": 0, "space": {}, "encoder": "", "device": "cpu"},
}


def test_what_was_written_becomes_a_record(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    found = parse_settings(
        **{**GIVEN, "out": tmp_path, "trials": 3, "memory": "1GB", "encoder": tmp_path}
    )
    assert found == FitSettings(tmp_path, 600.0, 3, 10**9, 1, 0, {}, str(tmp_path), "cpu")


def test_the_largest_seed_is_one_for_all_random_numbers_of_a_fit():
    seed = parse_settings(**{**GIVEN, "seed": 2**32 - 1}).seed
    assert len(make_folds(numbers(), np.arange(60), 3, seed)) == 3
    with torch.random.fork_rng():
        torch.manual_seed(trial_seed(seed, 10**6))


@pytest.mark.parametrize(
    ("changes", "given", "todo"),
    [
        ({"budget": "ten"}, "a budget of 'ten'", 'write "10m"'),
        ({"trials": 0}, "trials is 0", "write trials=2"),
        ({"trials": True}, "trials is True", "write trials=2"),
        ({"workers": None}, "workers is None", "write workers=2"),
        ({"memory": "much"}, "memory of 'much'", 'write "2GB"'),
        ({"seed": -1}, "seed is -1", "write seed=0"),
        ({"seed": 2**32}, "seed is 4294967296", "write seed=0"),
        ({"space": "mlp"}, "space is 'mlp'", 'write space={"families": ["mlp"]}'),
        ({"encoder": "nowhere"}, "the encoder nowhere", "give its path, or leave it out"),
        ({"device": "gpu"}, "device is 'gpu'", 'write device="auto"'),
        ({"out": 3}, "a path of type int", 'write "folder/file"'),
    ],
)
def test_what_is_not_allowed_is_refused(changes, given, todo):
    with pytest.raises(InputError) as error:
        parse_settings(**{**GIVEN, **changes})
    assert given in error.value.given
    assert error.value.todo == todo


def test_a_gpu_that_is_not_there_is_refused_and_auto_does_without(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match="torch sees no GPU"):
        parse_settings(**{**GIVEN, "device": "cuda"})
    assert parse_settings(**{**GIVEN, "device": "auto"}).device == "cpu"
