"""The arguments of a call as a record: what it is a key of, and what a batch of it is."""

import pytest
import torch
from torch import Tensor, nn

from relprop.explanation.check_inputs import check_inputs
from relprop.graph.inputs import Inputs, is_plain


class Takes(nn.Module):
    def forward(self, x, table, scale=1.0):
        return x


def inputs(*, batch: int = 3, fill: float = 0.0, scale=1.0, dtype=torch.float32) -> Inputs:
    x = torch.full((batch, 4), fill, dtype=dtype)
    return check_inputs(Takes(), {"x": x, "table": torch.ones(7, 2), "scale": scale}, None)


def test_a_signature_says_all_but_numbers_and_the_batch_size():
    assert inputs().signature == inputs(batch=5, fill=2.0).signature
    assert hash(inputs().signature) == hash(inputs(batch=5).signature)
    others = [inputs(dtype=torch.float64), inputs(scale=2.0), inputs(batch=7)]  # as the table
    assert inputs().signature not in [other.signature for other in others]


@pytest.mark.parametrize(
    ("value", "other"),
    [(1, 1.0), (1, True), (0.0, -0.0), ([1], (1,)), ({"a": 1}, {"a": 2}), (None, "None")],
)
def test_plain_values_are_told_apart_by_type(value, other):
    assert inputs(scale=value).signature != inputs(scale=other).signature
    assert inputs(scale=value).signature == inputs(scale=value).signature


def test_nan_is_the_same_value_again():
    assert inputs(scale=float("nan")).signature == inputs(scale=float("nan")).signature


def test_plain_values_hold_no_tensors():
    assert is_plain({"a": [1, (2.0, "b"), None], "c": 1j})
    assert not is_plain({"a": [torch.ones(1)]})
    assert not is_plain({1, 2})


def test_what_is_done_per_sample_leaves_shared_tensors_alone():
    first = inputs(fill=2.0).per_sample(lambda tensor: tensor[:1])
    assert {name: tuple(v.shape) for name, v in first.values.items() if isinstance(v, Tensor)} == {
        "x": (1, 4),
        "table": (7, 2),
    }
