"""What a run of Lightning must leave as it was: random numbers, log levels, Ctrl-C."""

import logging
import signal
import sys

import pytest
import torch

from relprop.errors import MissingExtraError
from relprop.support.lightning_runs import (
    interruptible,
    quiet_lightning,
    random_seed,
    require_lightning,
)


def test_random_numbers_go_on_after_the_block():
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    with random_seed(5):
        inside = torch.rand(1)
    assert torch.equal(torch.rand(1), expected)
    with random_seed(5):
        assert torch.equal(torch.rand(1), inside)


def test_the_log_level_is_restored():
    logger = logging.getLogger("lightning.pytorch")
    before = logger.level
    with quiet_lightning():
        assert logger.level == logging.ERROR
    assert logger.level == before


def exit_as_lightning_does():
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.exit(1)


def test_the_exit_of_lightning_after_ctrl_c_is_ctrl_c():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interruptible():
        exit_as_lightning_does()
    assert signal.getsignal(signal.SIGINT) is before


def test_any_other_exit_stays_one():
    with pytest.raises(SystemExit), interruptible():
        sys.exit(3)


def test_a_missing_lightning_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning", None)
    with pytest.raises(MissingExtraError, match=r'pip install "relprop\[fit\]"'):
        require_lightning("fit", "training")
