"""The model is run where an input differs from the one of the step before, and the curve is whole.

The reference runs every sample by itself at every step, and finds removed entries by loops.
"""

import pytest
import torch
from helpers.removal_models import weighted
from torch import nn

from relprop.evaluate import Units, delete, grouped, hide, patches, pixels, ranking, removal_curve

# ---- how often, by hand ----------------------------------------------------------------

# what differs from the step before where 1, 2, 4 and 6 entries are gone, first ones first
ROWS = [
    [1.0, 0, 0, 2, 0, 3],  # at the first, the third and the last step
    [0.0, 0, 0, 0, 5, 0],  # at the last
    [0.0, 0, 0, 0, 0, 0],  # at none
    [7.0, 7, 7, 7, 7, 7],  # at all
]
RUNS = 3 + 1 + 0 + 4


@pytest.mark.parametrize(
    ("batch_size", "sizes"),
    [(1, [1] * 4 + [1] * RUNS), (4, [4, 4, 4]), (7, [4, 4, 4]), (1000, [4, RUNS])],
)
def test_only_what_a_step_changes_is_run(batch_size, sizes):
    model, _ = weighted(6)
    seen, x = [], torch.tensor(ROWS).double()
    model.register_forward_hook(lambda m, args, out: seen.append(args[0]))
    order = torch.arange(6).repeat(4, 1)
    got = removal_curve(model, x, None, order=order, steps=(1, 2, 4, 6), batch_size=batch_size)
    assert model.rows == sizes
    assert torch.cat(seen)[4:].tolist() == [
        [0, 0, 0, 2, 0, 3],  # the first step
        [0, 7, 7, 7, 7, 7],
        [0, 0, 7, 7, 7, 7],  # the second
        [0, 0, 0, 0, 0, 3],  # the third
        [0, 0, 0, 0, 7, 7],
        [0, 0, 0, 0, 0, 0],  # the last
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    assert got.scores[2].tolist() == [0.5] * 5


def test_what_is_never_gone_is_never_run_for():
    """Half of the units, of which only those that stay hold anything; and entries in no unit."""
    model, _ = weighted(4)
    x = torch.tensor([[0.0, 0, 3, 4]]).double()
    order = torch.arange(4)[None]
    removal_curve(model, x, None, order=order, steps=(1, 2))
    assert model.rows == [1]
    units = grouped(torch.tensor([[0, 1, -1, -1]]))
    removal_curve(model, x, None, order=order[:, :2], steps=2, units=units)
    assert model.rows == [1, 1]


def test_a_pixel_changes_with_any_of_its_channels():
    model, _ = weighted(3, 1, 2)
    x = torch.zeros(1, 3, 1, 2).double()
    x[0, 2, 0, 1] = 1.0
    for order, sizes in (([[0, 1]], [1, 1]), ([[1, 0]], [1, 1])):
        model.rows.clear()
        got = removal_curve(model, x, None, order=torch.tensor(order), steps=2, units=pixels)
        assert model.rows == sizes
        changed = got.scores[0].diff() != 0
        assert changed.tolist() == [order[0][0] == 1, order[0][0] == 0]


@pytest.mark.parametrize("fill", [delete(), hide(), lambda x, removed, generator: x])
def test_what_may_differ_at_every_step_is_run_at_every_step(fill):
    model, runs = Reader().eval(), []
    model.register_forward_hook(lambda m, args, kw, out: runs.append(len(out)), with_kwargs=True)
    removal_curve(model, TEXT, IDS.double(), fill=fill, steps=2)
    assert sum(runs) == len(IDS) * (1 + 2)


# ---- the reference ---------------------------------------------------------------------


def outputs(model, inputs, got, order, index, change):
    """The output of each sample in each column, (n, s + 1, c): run one by one, all of them.

    inputs  name -> tensor, None for a model of one tensor
    index   (n, *features) the unit of each entry
    change  (gone (n, *features) boolean) -> the inputs that it changes, by name
    """
    n, columns = got.scores.shape
    counts, found = got.counts.expand(n, -1), torch.zeros(n, columns, 3).double()
    for column in range(columns):
        gone = torch.zeros(index.shape, dtype=torch.bool)
        for i in range(n):
            for unit in order[i, : counts[i, column]].tolist():
                gone[i] |= index[i] == unit
        changed = {**inputs, **(change(gone) if column else {})}
        for i in range(n):
            one = {name: v[i : i + 1] if len(v) == n else v for name, v in changed.items()}
            found[i, column] = model(**one)[0].detach()
    return found


def assert_whole(got, expected):
    probability = expected.softmax(2)
    chosen = got.target[:, None, None].expand(-1, expected.shape[1], 1)
    own = probability.gather(2, chosen).squeeze(2)
    torch.testing.assert_close(got.scores, own, rtol=0, atol=1e-12)
    assert got.predictions.prediction.equal(expected.argmax(2))
    first, second = probability.topk(2).values.unbind(2)
    torch.testing.assert_close(got.predictions.margin, (first - second) / first, rtol=0, atol=1e-12)


class Bent(nn.Module):
    """Not linear, and of images."""

    def __init__(self):
        super().__init__()
        gen = torch.Generator().manual_seed(4)
        self.a, self.b = (torch.randn(s, generator=gen).double() for s in ((72, 9), (9, 3)))

    def forward(self, x):
        return torch.tanh(x.flatten(1) @ self.a) @ self.b


GEN = torch.Generator().manual_seed(5)
# 0 and 1 in most places, so that these and their means are often there already
IMAGES = torch.randint(-1, 2, (5, 2, 6, 6), generator=GEN).clamp(min=0).double()
CENTRE = torch.full((5, 1, 6, 6), -1)
CENTRE[0, 0, 1:5, 1:5] = torch.arange(16).reshape(4, 4)
CENTRE[1:, 0] = torch.arange(36).reshape(6, 6) // 2  # 16 units of the first image, 18 of others
RAGGED = grouped(CENTRE)


def tally(x, gone, generator):
    """A fill that depends on what is gone, in all samples."""
    return (gone.double().mean() * x.mean((1, 2, 3), keepdim=True)).expand_as(x)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
@pytest.mark.parametrize("fill", [0, 1.0, "marginal", "tally"])
@pytest.mark.parametrize("units", [pixels(IMAGES), patches(4)(IMAGES), RAGGED])
@pytest.mark.parametrize(
    "steps",
    [{"steps": 4}, {"steps": 4, "spacing": "log"}, {"steps": (1, 3)}, {"steps": (0.3, 0.6, 1.0)}],
)
def test_the_curve_is_that_of_every_step(steps, units, fill, batch_size):
    calls = []

    def counted(x, gone, generator):
        calls.append(gone)
        return tally(x, gone, generator)

    order = order_of(units)
    given = counted if fill == "tally" else replacing(fill)
    settings = {"order": order, "units": units, "fill": given, "batch_size": batch_size, **steps}
    got = removal_curve(Bent().eval(), IMAGES, None, **settings)
    assert len(calls) == (got.scores.shape[1] - 1 if fill == "tally" else 0)

    def change(gone):
        values = tally(IMAGES, gone, None) if fill == "tally" else torch.as_tensor(given)
        return {"x": torch.where(gone, values, IMAGES)}

    index = units.index.expand(5, 1, 6, 6).expand_as(IMAGES)
    assert_whole(got, outputs(Bent(), {"x": IMAGES}, got, order, index, change))


def replacing(fill):
    """What is removed becomes a number, or what the next image has there."""
    return IMAGES.roll(1, 0) if fill == "marginal" else fill


def order_of(units: Units):
    """Random, units that a sample lacks last."""
    d = int(units.count.max())
    scores = torch.rand(5, d, generator=torch.Generator().manual_seed(6))
    lacking = torch.arange(d) >= units.count.expand(5)[:, None]
    return ranking(scores - lacking.double())


# ---- text, with other inputs beside it -------------------------------------------------

IDS = torch.tensor([[2, 1, 1, 3, 4], [1, 1, 1, 1, 0], [5, 2, 0, 0, 0], [1, 3, 1, 2, 1]])
TEXT = {
    "input_ids": IDS,
    "attention_mask": (IDS != 0).long(),
    "scale": torch.tensor([[1.0], [2.0], [3.0], [4.0]]).double(),  # of each sample
    "bias": torch.tensor([0.5, 0.0, -0.5]).double(),  # of none
}


class Reader(nn.Module):
    """Reads tokens in their order."""

    def forward(self, input_ids, attention_mask, scale, bias):
        place = torch.arange(1, 6).double()
        read = (input_ids * attention_mask * place).sum(1, keepdim=True) * scale
        return torch.cat([read.sin(), read.cos(), read / 40], 1) + bias


def deleting(gone):
    """Kept tokens move to the left."""
    ids, mask = torch.zeros_like(IDS), torch.zeros_like(IDS)
    for i, row in enumerate(IDS.tolist()):
        kept = [t for t, out in zip(row, gone[i].tolist(), strict=True) if t and not out]
        ids[i, : len(kept)], mask[i, : len(kept)] = torch.tensor(kept, dtype=torch.long), 1
    return {"input_ids": ids, "attention_mask": mask}


CHANGES = {
    "a mask token": (1, lambda gone: {"input_ids": torch.where(gone, 1, IDS)}),
    "hide": (hide(), lambda gone: {"attention_mask": TEXT["attention_mask"] * ~gone}),
    "delete": (delete(), deleting),
}


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
@pytest.mark.parametrize("name", CHANGES)
def test_all_inputs_of_a_text_are_those_of_its_row(name, batch_size):
    fill, change = CHANGES[name]
    order = torch.tensor([[1, 0, 4, 2, 3], [3, 0, 1, 2, 4], [1, 0, 2, 3, 4], [0, 3, 1, 4, 2]])
    settings = {"fill": fill, "order": order, "steps": 2, "batch_size": batch_size}
    got = removal_curve(Reader().eval(), TEXT, None, **settings)
    index = torch.arange(5).where(IDS != 0, -1)  # padding is in no unit
    assert got.counts.tolist() == [[0, 2, 5], [0, 2, 4], [0, 1, 2], [0, 2, 5]]
    assert_whole(got, outputs(Reader(), TEXT, got, order, index, change))
