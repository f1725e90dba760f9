"""Where paths are dropped: comparisons and the like whose results are terms of a sum."""

import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn
from torch.nn import functional as F

import relprop


class Beside(nn.Module):
    """A layer, what a function makes of it, and a head of both."""

    def __init__(self, function):
        super().__init__()
        self.layer, self.head, self.function = nn.Linear(4, 6), nn.Linear(6, 3), function

    def forward(self, x):
        h = self.layer(x)
        return self.head(h + self.function(h))


class InModule(nn.Module):
    def forward(self, h):
        return (h > 0.5).to(h.dtype)


DROPS = {
    "a comparison": (lambda h: (h > 0).to(h.dtype), "gt"),
    "one without a cast": (lambda h: 0.5 * (h <= 0), "le"),
    "a choice of two numbers": (lambda h: torch.where(h > 0, 1.0, 0.0), "gt"),
    "a cast to integers": (lambda h: h.to(torch.int64).to(h.dtype), "_to_copy"),
    "a one-hot argmax": (lambda h: F.one_hot(h.argmax(-1), 6).to(h.dtype), "argmax"),
    "a table by an index": (lambda h: torch.arange(6.0).to(h)[h.argmax(-1)][:, None], "argmax"),
    "a count": (lambda h: (h > 0).sum(-1, keepdim=True).to(h.dtype), "gt"),
    "an equality": (lambda h: (h == h.flip(1)).to(h.dtype), "eq"),
    "a comparison behind a layer": (lambda h: F.relu(2 * (h < 0).to(h.dtype) - 1), "lt"),
    "ranks": (lambda h: h.argsort(-1).to(h.dtype), "argsort"),
}


@pytest.mark.parametrize("name", DROPS)
def test_what_is_added_from_a_value_without_derivative_is_dropped(name):
    function, operation = DROPS[name]
    explainer = relprop.Explainer(randomise(Beside(function).double()), "zero")
    with pytest.warns(relprop.errors.DroppedPathWarning, match=f"by {operation}, which has no"):
        e = explainer(signed(2, 4), target=0)
    assert e.dropped == (operation,)


AT_NOTHING = {
    "a gate written out": lambda h: h * (h > 0),
    "a gate as a number": lambda h: h * (h > 0).to(h.dtype),
    "a choice between a value and 0": lambda h: torch.where(h > 0, h, 0.0),
    "the absolute value": lambda h: h * (2 * (h > 0).to(h.dtype) - 1),
    "the largest entry": lambda h: h.gather(1, h.argmax(-1, keepdim=True)),
    "hard attention": lambda h: (F.one_hot(h.argmax(-1), 6).to(h.dtype) * h).sum(1, keepdim=True),
    "the two largest": lambda h: h.masked_fill(h < h.topk(2).values[:, -1:], 0.0),
    "a mask that is added": lambda h: (h + (h < 0).to(h.dtype) * -1e9).softmax(-1),
    "a mask of -inf": lambda h: (
        h + torch.zeros_like(h).masked_fill(h < h.amax(1, keepdim=True) - 1, -torch.inf)
    ).softmax(-1),
    "the mean of the positive entries": lambda h: (
        h.relu().sum(-1, keepdim=True) / (h > 0).sum(-1, keepdim=True).clamp(min=1)
    ),
    "the shape": lambda h: h * h.shape[1] + torch.zeros_like(h > 0, dtype=h.dtype),
    "another precision": lambda h: h.to(torch.float32).to(torch.float64),
    "a clamp": lambda h: h.clamp(-1, 1),
    "a clamp written by hand": lambda h: torch.where(h > 1, 1, h.relu()),
    "a causal mask": lambda h: h @ torch.ones(6, 6).to(h).tril(),
}


@pytest.mark.parametrize("name", AT_NOTHING)
def test_gates_masks_and_indices_drop_nothing(name):
    """A warning would be an error here."""
    e = relprop.explain(randomise(Beside(AT_NOTHING[name]).double()), signed(2, 4), target=0)
    assert e.dropped == ()


class Words(nn.Module):
    """Token ids with padding: an embedding, a mask, positions that skip padding, a last token."""

    def __init__(self):
        super().__init__()
        self.embedding, self.places = nn.Embedding(9, 4), nn.Embedding(7, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, ids):
        present = ids != 0
        places = present.long().cumsum(1) * present
        h = self.embedding(ids) + self.places(places)
        mean = (h * present[..., None]).sum(1) / present.sum(1, keepdim=True)
        last = h[torch.arange(ids.shape[0], device=ids.device), ids.argmax(1)]
        return self.head(mean + last + present.float().mean(1, keepdim=True))


def test_what_token_ids_say_drops_nothing():
    ids = torch.tensor([[3, 5, 8, 0, 0], [2, 7, 1, 4, 8]])
    assert relprop.explain(randomise(Words()), ids, target=0).dropped == ()


def test_a_module_is_named_once_however_often_it_runs():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.spike, self.head = nn.Linear(4, 6), InModule(), nn.Linear(6, 3)

        def forward(self, x):
            h = self.layer(x)
            return self.head(h + self.spike(h) + self.spike(2 * h) + (h > 2) * 1.0)

    model = randomise(Twice())
    with pytest.warns(relprop.errors.DroppedPathWarning, match='by "spike" .gt., gt, which'):
        e = relprop.explain(model, signed(2, 4).float(), target=0)
    assert e.dropped == ('"spike" (gt)', "gt")
    line = relprop.Recipe.preset("zero").using("spike", "constant")
    with pytest.warns(relprop.errors.DroppedPathWarning, match="by gt, which"):
        assert relprop.explain(model, signed(2, 4).float(), line, target=0).dropped == ("gt",)


def test_an_output_by_a_comparison_alone_is_refused_and_the_line_is_right():
    class Hard(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.head = nn.Linear(4, 6), nn.Linear(6, 3)

        def forward(self, x):
            return self.head((self.layer(x) > 0).to(x.dtype))

    model, x = randomise(Hard().double()), signed(2, 4)
    with pytest.raises(relprop.RelpropError, match="depends on its input by gt alone") as error:
        relprop.explain(model, x, "zero")
    line = error.value.todo.split(" passes")[0]
    recipe = eval(line, {"recipe": relprop.Recipe.preset("zero"), "relprop": relprop})
    e = relprop.explain(model, x, recipe, target=0)
    weights = model.head.weight[0] @ model.layer.weight
    torch.testing.assert_close(e.relevance, x * weights.detach())
