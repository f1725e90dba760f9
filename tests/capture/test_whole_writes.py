"""Writes into parts of a value become operations that return the whole: nothing else changes."""

import pytest
import torch
from helpers.networks import Applied, randomise
from torch import nn

import relprop
from relprop.capture import functionalize


def assigned(write, copy=torch.clone):
    """A function that writes into a copy of its argument."""

    def function(h):
        m = copy(h)
        write(m, h)
        return m + h[:, :1]

    return function


def nested(m, h):
    m[:, 1:][:, 1:] = h[:, :2]


def masked(m, h):
    m[:, :2] = m[:, :2].masked_fill(m[:, :2] > 0, -1.0)


def in_turn(m, h):
    m[:, 0] = 1.0
    m[:, 1] = m[:, 0] * h[:, 2]
    m[:, 2:] = m[:, :2]


def with_step(m, h):
    m[:, ::2] = h[:, 1:2]


def zeroed(m, h):
    m[:, -1:].zero_()


PARTS = {
    "numbers": assigned(lambda m, h: m[:, 1:3].fill_(0.5)),
    "a tensor": assigned(lambda m, h: m[:, 1:3].fill_(torch.tensor(0.5))),
    "zeros": assigned(zeroed),
    "a column": assigned(lambda m, h: m[:, 0].copy_(h[:, 1])),
    "a part of a part": assigned(nested),
    "what it holds, masked": assigned(masked),
    "one after the other": assigned(in_turn),
    "each second": assigned(with_step),
    "another dtype": assigned(lambda m, h: m[:, 0].copy_(h.float()[:, 0])),
    "a result of a write": assigned(zeroed, copy=lambda h: (h + 1).mul_(2)),
    "a mask made of sizes": lambda h: h * by_sizes(h),
}


def by_sizes(h):
    mask = torch.zeros(h.shape[1], dtype=h.dtype)
    for i, part in enumerate((slice(0, 1), slice(1, -1), slice(-1, None))):
        mask[part] = i
    return mask


def view_before(h):
    m = h.clone()
    column = m[:, :1]
    m[:, :2] = 0
    return m + column


def reshaped_before(h):
    m = h.clone()
    flat = m.reshape(-1, 4)
    m[:, :2] = 0
    return m + flat


def turned(h):
    m = h.clone()
    m.t()[0] = 1
    return m


def returned(h):
    m = h.clone()
    return m[:, :1].copy_(h[:, 1:2]) + m


OTHERS = {
    "read by a view": view_before,
    "read by what may be a view": reshaped_before,
    "of a turned view": turned,
    "the result of the write": returned,
    "memory that is repeated": lambda h: assigned(zeroed, copy=lambda h: h.view(-1, 4))(h),
}


@pytest.fixture
def ways(monkeypatch):
    """Counts the programs that go torch's way."""
    gone, run = [], functionalize.run_decompositions
    monkeypatch.setattr(
        functionalize, "run_decompositions", lambda program: gone.append(1) or run(program)
    )
    return gone


def explained(model, x):
    return relprop.Explainer(model, "epsilon")(x, target=2, ledger=True)


@pytest.mark.parametrize("name", [*PARTS, *OTHERS])
def test_output_and_relevance_are_those_of_the_other_way(name, ways, monkeypatch):
    model = randomise(Applied({**PARTS, **OTHERS}[name])).double().eval()
    x = torch.randn(3, 6, dtype=torch.float64)
    e = explained(model, x)
    assert len(ways) == (name in OTHERS)
    monkeypatch.setattr(functionalize, "can_rename", lambda graph: False)
    monkeypatch.setattr(functionalize, "return_whole_values", lambda graph: None)
    other = explained(model, x)
    assert len(ways) == 1 + (name in OTHERS)
    torch.testing.assert_close(e.output, model(x).detach(), rtol=0, atol=0)
    torch.testing.assert_close(e.relevance, other.relevance, rtol=1e-12, atol=1e-14)
    assert e.relevance.abs().sum() > 0


def test_a_part_of_an_open_size_is_written_at_each(ways):
    model = randomise(nn.Sequential(nn.Linear(6, 4), Masks())).double().eval()
    explainer = relprop.Explainer(model, "epsilon")
    for length in (5, 7, 3, 12):
        x = torch.randn(2, length, 6, dtype=torch.float64)
        alone = relprop.Explainer(model, "epsilon")(x, target=0)
        torch.testing.assert_close(explainer(x, target=0).relevance, alone.relevance)
        torch.testing.assert_close(explainer(x).output, model(x).detach())
    assert not ways


class Masks(nn.Module):
    """Writes a causal mask into a part of one, as language models do."""

    def forward(self, h):
        length = h.shape[1]
        mask = torch.full((length, length), -9.0, dtype=h.dtype).triu(1)
        mask *= torch.arange(length) > torch.arange(length)[:, None]
        mask = mask[None].expand(h.shape[0], -1, -1).clone()
        mask[:, :, : length - 1] = mask[:, :, : length - 1].masked_fill(
            torch.arange(1, length) > 9, 0.0
        )
        return ((h @ h.transpose(1, 2) + mask).softmax(-1) @ h).mean(1)
