"""Each rule of pruning: an operation runs at the positions that are read, or at all of them."""

import pytest
import torch
from helpers.networks import signed
from helpers.pruning import SIZE, ReadsPart, first_token, positions_computed
from torch.nn import functional as F

ALONG = {
    "an activation": F.gelu,
    "a gate": lambda h: h * h.sigmoid(),
    "a choice": lambda h: torch.where(h > 0, h, 0.1 * h),
    "a mask": lambda h: h.masked_fill(h < -0.5, 0.0),
    "a scale of positions": lambda h: h * torch.arange(1.0, SIZE + 1)[:, None].double(),
    "a norm": lambda h: F.layer_norm(h, (SIZE,)),
    "a norm written out": lambda h: h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-6),
    "a sum over channels": lambda h: h + h.tanh().sum(2).unsqueeze(2),
    "a softmax over channels": lambda h: h.softmax(-1),
    "heads": lambda h: h.view(-1, SIZE, 2, 2).transpose(1, 2).tanh().transpose(1, 2).flatten(2),
    "length first": lambda h: h.permute(1, 0, 2).tanh().transpose(0, 1),
    "length last": lambda h: h.mT.tanh().mT,
    "one more dimension": lambda h: h.unsqueeze(1).tanh().squeeze(1),
    "another dtype": lambda h: h.to(torch.float64).type_as(h),
    "channels apart": lambda h: torch.cat([h.unflatten(2, (2, 2))[:, :, 1], h[..., 2:]], -1),
    "channels joined": lambda h: torch.cat([h, h.tanh()], -1)[..., 2:6],
    "what is expanded": lambda h: h + h.mean(-1, keepdim=True).expand(-1, -1, SIZE),
}


@pytest.mark.parametrize("operation", ALONG.values(), ids=ALONG)
def test_an_operation_that_is_pointwise_along_positions_is_pruned(operation):
    assert positions_computed(ReadsPart(operation, first_token), signed(SIZE, SIZE, SIZE)) == 1


ACROSS = {
    "a sum so far": lambda h: h.cumsum(1),
    "a mean": lambda h: h - h.mean(1, keepdim=True),
    "a softmax": lambda h: h * h.softmax(1),
    "a norm": lambda h: F.layer_norm(h, (SIZE, SIZE)),
    "another order": lambda h: h.flip(1).roll(1, 1),
    "positions joined": lambda h: torch.cat([h, h.tanh()], 1)[:, SIZE:],
    "another shape": lambda h: h.reshape(-1, SIZE * SIZE).reshape(-1, 2, 2, SIZE)[:, :, 1],
    "no dimension of size 1": lambda h: h.tanh().squeeze(1),
    "all samples as one": lambda h: h.reshape(-1, SIZE).tanh().reshape(-1, SIZE, SIZE),
}


@pytest.mark.parametrize("operation", ACROSS.values(), ids=ACROSS)
def test_an_operation_across_positions_runs_at_all_of_them(operation):
    assert positions_computed(ReadsPart(operation, first_token), signed(SIZE, SIZE, SIZE)) == SIZE


def test_a_product_of_positions_reads_them_all():
    model = ReadsPart(lambda h: torch.eye(SIZE).double().roll(1, 0) @ h.tanh(), first_token)
    assert (
        positions_computed(model, signed(SIZE, SIZE, SIZE)) == SIZE + SIZE
    )  # it is a layer itself
