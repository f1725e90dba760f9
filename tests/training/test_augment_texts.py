"""Tokens are hidden at random; the first one stays."""

import pytest
import torch

from relprop.errors import InputError
from relprop.training.augment_texts import augment_texts

IDS = torch.arange(1, 401).expand(100, 400)


def test_nothing_is_changed_where_no_setting_asks_for_it():
    assert augment_texts({}) is None
    assert augment_texts({"word_dropout": 0.0}) is None


def test_the_share_of_tokens_that_was_asked_for_becomes_padding():
    torch.manual_seed(0)
    changed = augment_texts({"word_dropout": 0.3})(IDS)
    hidden = changed == 0
    assert hidden[:, 1:].float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert torch.equal(changed[~hidden], IDS[~hidden])
    assert not torch.equal(hidden[0], hidden[1])
    assert torch.equal(changed[:, 0], IDS[:, 0])


@pytest.mark.parametrize("share", [1.0, -0.1, True, "half"])
def test_what_is_no_probability_is_refused(share):
    with pytest.raises(InputError, match=f"word_dropout is {share!r}"):
        augment_texts({"word_dropout": share})
