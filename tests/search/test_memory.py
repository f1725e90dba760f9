"""A limit of memory: what goes beyond it fails, is known as such, and nothing stays limited."""

import gc
import subprocess
import sys

import numpy as np
import pytest
import torch

from relprop.errors import InputError
from relprop.search.memory import is_out_of_memory, limit_memory, resident_memory

MORE = 400_000_000  # bytes


def take_by_torch():
    return torch.empty(MORE // 4).fill_(1)


def take_by_numpy():
    return np.ones(MORE // 8)


@pytest.mark.parametrize("take", [take_by_torch, take_by_numpy])
def test_what_goes_beyond_the_limit_fails_as_out_of_memory(take):
    limit = resident_memory() + MORE // 2
    with pytest.raises((RuntimeError, MemoryError)) as error, limit_memory(limit):
        take()
    assert is_out_of_memory(error.value)
    assert len(take()) > 0  # outside the block nothing is limited


SMALL_PARTS = f"""
import torch
from relprop.search.memory import is_out_of_memory, limit_memory, resident_memory
try:
    with limit_memory(resident_memory() + {MORE} // 2):
        parts = [torch.ones(1_000_000) for _ in range({MORE} // 4_000_000)]
except RuntimeError as error:
    print(is_out_of_memory(error))
print(len([torch.ones(1_000_000) for _ in range({MORE} // 4_000_000)]))
"""


def test_small_parts_fail_once_they_are_beyond_the_limit_together():
    """In a process of its own: small parts first fill what other tests have freed in this one."""
    done = subprocess.run([sys.executable, "-c", SMALL_PARTS], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "100"], done.stderr


def test_what_stays_below_the_limit_works():
    with limit_memory(resident_memory() + MORE):
        assert float(torch.ones(MORE // 16).sum()) == MORE // 16


def test_a_limit_that_is_held_already_leaves_what_a_program_needs():
    with limit_memory(1):
        assert float(torch.ones(2_000_000).sum()) == 2_000_000  # 8 MB


def test_what_is_in_use_no_more_does_not_count():
    cycle = [take_by_torch()]
    cycle.append(cycle)
    limit = resident_memory() + MORE // 4
    gc.disable()
    try:
        del cycle
        with limit_memory(limit):
            assert float(torch.ones(MORE // 8).sum()) == MORE // 8
    finally:
        gc.enable()


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert not is_out_of_memory(ValueError("Cannot allocate memory"))
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))


def test_systems_without_a_limit_are_told_so(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(InputError, match="a limit of memory on darwin"), limit_memory(10**9):
        pass
