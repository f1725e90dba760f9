"""A plan says which sizes torch.export fixed, and which line of whose code does."""

import inspect

import pytest
import torch
from helpers.networks import randomise
from torch import nn

import relprop
from relprop.errors import CaptureError
from relprop.support import exported_sizes


class Net(nn.Module):
    """A linear layer for each position, and one after what becomes of these."""

    def __init__(self, features=4):
        super().__init__()
        self.layer, self.head = nn.Linear(4, 4), nn.Linear(features, 3)


class Loop(Net):
    def forward(self, x):
        h = torch.zeros_like(x[:, 0])
        for t in range(x.shape[1]):  # fixes it
            h = (self.layer(h) + x[:, t]).relu()
        return self.head(h)


class Constant(Net):
    def forward(self, x):
        return self.head(self.layer(x).sum(1)) / int(x.shape[1])  # fixes it


class Branch(Net):
    def forward(self, x):
        h = self.layer(x)
        return self.head((h.relu() if x.shape[1] == 6 else h.tanh()).mean(1))  # fixes it


class Literal(nn.Module):
    """Takes rows of twelve numbers, and mixes samples where there are more."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(12, 3)

    def forward(self, x):
        return self.head(x.view(-1, 12))  # fixes it


class Recurrent(Net):
    def __init__(self):
        super().__init__(5)
        self.cell = nn.LSTM(4, 5, batch_first=True)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


class Rows(nn.Module):
    """Adds up rows of a picture one by one."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(4, 3)

    def forward(self, x):
        rows = self.layer(x).relu().unbind(2)  # fixes it
        return self.head(torch.stack(rows).sum(0).mean(-1))


class OneOfTwo(Net):
    def forward(self, x, y):
        h = self.layer(x).mean(1)
        for t in range(y.shape[1]):  # fixes it
            h = h + y[:, t].relu()
        return self.head(h)


class AsLong(Net):
    """Fixes one of two sizes, after it was found that both are equal."""

    def forward(self, x, y):
        h = self.layer(x) + y
        return self.head(sum(h[:, t] for t in range(x.shape[1])).relu())  # fixes it


class Twice(Net):
    """One size follows the other."""

    def forward(self, x, y):
        return self.head((torch.cat([x, x], 1) + y).relu().mean(1))


def line_of(model):
    """Write the line of a model's class that is marked, as a plan does."""
    lines, first = inspect.getsourcelines(type(model))
    (i,) = (i for i, line in enumerate(lines) if line.endswith("# fixes it\n"))
    return f"test_free_sizes.py:{first + i} in forward: `{lines[i].strip()}`"


def sequence(length):
    return torch.randn(2, length, 4)


def both(length):
    return {"x": sequence(length), "y": sequence(length + 1)}


def alike(length):
    return {"x": sequence(length), "y": sequence(length)}


def sizes_of(model, *batches):
    """Explain batches; return what the plan of the last says of sizes, and the explainer."""
    explainer = relprop.Explainer(randomise(model).eval(), "epsilon")
    for batch in batches:
        (*_, said) = str(explainer.plan(batch)).splitlines()[:2]
    return said, explainer


CLOSED = "sizes: those that it was captured for; "


@pytest.mark.parametrize("model", [Loop(), Constant(), Branch()], ids=lambda m: type(m).__name__)
def test_a_plan_names_the_line_that_fixes_a_size(model):
    said, explainer = sizes_of(model, sequence(4), sequence(6))
    assert said == f"{CLOSED}x.shape[1] = 6, fixed by {line_of(model)}"
    again = str(explainer.plan(sequence(5))).splitlines()[1]  # captured without open sizes
    assert again == said.replace("x.shape[1] = 6", "x.shape[1] = 5")


def test_a_view_with_a_literal_fixes_a_size():
    explainer = relprop.Explainer(randomise(Literal()).eval())
    with pytest.raises(CaptureError, match="mixes the samples"):
        explainer.plan(torch.randn(2, 24))
    said = str(explainer.plan(torch.randn(2, 12))).splitlines()[1]
    assert said == f"{CLOSED}x.shape[1] = 12, fixed by {line_of(Literal())}"
    with pytest.raises(CaptureError, match="mixes the samples"):
        explainer.plan(torch.randn(2, 36))


def test_a_line_of_torchs_own_code_is_named():
    said, _ = sizes_of(Recurrent(), sequence(4), sequence(6))
    rest = said.removeprefix(f"{CLOSED}x.shape[1] = 6, fixed by torch/nn/modules/rnn.py:")
    assert rest.endswith(" in forward: `result = _VF.lstm(`")
    assert rest.split()[0].isdigit()


def test_only_the_height_is_fixed_and_the_width_stays_open():
    pictures = [torch.randn(2, 2, n, n + 3) for n in (8, 9, 10)]
    model = Rows()
    said, explainer = sizes_of(model, *pictures)
    fixed = f"x.shape[2] = 10, fixed by {line_of(model)}"
    assert said == f"sizes: any x.shape[3]; where x.shape[3] >= 2; {fixed}"
    assert explainer.plan(torch.randn(2, 2, 10, 21)).graph is explainer.plan(pictures[2]).graph


def test_of_two_inputs_only_one_is_fixed():
    model = OneOfTwo()
    said, _ = sizes_of(model, both(4), both(5), both(6))
    fixed = f"y.shape[1] = 7, fixed by {line_of(model)}"
    assert said == f"sizes: any x.shape[1]; where x.shape[1] >= 2; {fixed}"


def test_sizes_that_are_equal_are_fixed_by_one_line():
    model = AsLong()
    said, _ = sizes_of(model, alike(4), alike(6))
    assert said == f"{CLOSED}x.shape[1] = 6, y.shape[1] = 6, fixed by {line_of(model)}"


def test_a_size_that_follows_another_stays_open():
    batches = [{"x": sequence(n), "y": sequence(2 * n)} for n in (4, 5, 7)]
    said, explainer = sizes_of(Twice(), *batches)
    follows = "where (2*x.shape[1]) == y.shape[1]; x.shape[1] >= 2"
    assert said == f"sizes: any x.shape[1], y.shape[1]; {follows}"
    assert len({id(explainer.plan(x).graph) for x in batches}) == 2


def test_a_size_of_one_is_open_at_other_sizes(caplog):
    """torch.export fixes it, and no code of the model."""

    class Mean(Net):
        def forward(self, x):
            return self.head(self.layer(x).relu().mean(1))

    said, explainer = sizes_of(Mean(), sequence(4), sequence(1), sequence(6), sequence(7))
    assert said == "sizes: any x.shape[1]; where x.shape[1] >= 2"
    assert "sizes" not in str(explainer.plan(sequence(1)))
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


def test_where_torch_does_not_tell_the_line_the_plan_says_whose_code_it_is(monkeypatch):
    monkeypatch.setattr(exported_sizes, "_environment", lambda _: None)
    said, _ = sizes_of(Loop(), sequence(4), sequence(6))
    assert said == f"{CLOSED}x.shape[1] = 6, fixed by the code of the model"


def test_the_line_is_in_a_saved_plan(tmp_path):
    model = Rows()
    pictures = [torch.randn(2, 2, n, n + 3) for n in (8, 9)]
    said, explainer = sizes_of(model, *pictures)
    explainer.save(tmp_path / "rows.plans")
    loaded = relprop.Explainer.load(tmp_path / "rows.plans", model)
    assert str(loaded.plan(pictures[1])).splitlines()[1] == said
    assert line_of(model) in str(loaded.plan(torch.randn(2, 2, 12, 12)))
