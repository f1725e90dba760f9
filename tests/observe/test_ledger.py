"""The ledger: what is taken is what is given and absorbed, each by its own formula.

That it balances does not show that a rule is right: test_rules.py and its like do.
"""

import csv

import pytest
import torch
from helpers.networks import Concat, Residual, randomise, signed
from torch import nn

import relprop
from relprop import Back, Recipe
from relprop.errors import InputError
from relprop.rules.backward import CAUSES

PRESETS = {
    "zero": {},
    "epsilon": {"epsilon": 0.1},
    "gamma": {},
    "alpha-beta": {},
    "epsilon-plus-flat": {"epsilon": 0.1, "relative": True},
    "epsilon-gamma-box": {"low": -4.0, "high": 4.0},
    "epsilon-alpha2-beta1-flat": {},
}


def convolutional() -> nn.Module:
    """Batch norm that folds and that does not, residual, branches, both poolings, signed inputs."""
    block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ELU())
    return nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding="same"), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
        *(Residual(block), nn.BatchNorm2d(4), Concat(nn.AvgPool2d(2), nn.MaxPool2d(2))),
        *(nn.Conv2d(8, 6, 2, groups=2, bias=False), nn.GELU(), nn.Flatten(), nn.Linear(24, 3)),
    )


@pytest.fixture(scope="module")
def explainers() -> dict[torch.dtype, relprop.Explainer]:
    model = randomise(convolutional())
    return {
        torch.float32: relprop.Explainer(model),
        torch.float64: relprop.Explainer(randomise(convolutional()).double()),
    }


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_it_balances(explainers, preset, dtype, error):
    explainer = explainers[dtype].with_recipe(Recipe.preset(preset, **PRESETS[preset]))
    e = explainer(signed(3, 2, 12, 12).to(dtype), target=1, ledger=True)
    assert e.ledger.error < error
    torch.testing.assert_close(e.ledger.relevance_in, e.output[:, 1].double())
    torch.testing.assert_close(e.ledger.relevance_out, e.relevance.double().sum((1, 2, 3)))
    for entry in e.ledger.entries:
        assert entry.error.abs().max() < error * e.ledger.relevance_in.abs().min()


@pytest.mark.parametrize("before", [nn.ReLU, nn.Identity])
@pytest.mark.parametrize("behind", [nn.ReLU, nn.Sigmoid, nn.Identity])
@pytest.mark.parametrize("above", ["flat", "epsilon"])
def test_gamma_balances_wherever_it_stands(before, behind, above):
    """Inputs and outputs known to be >= 0 or of either sign; one output is exactly zero."""
    layer = nn.Linear(6, 5)
    model = nn.Sequential(nn.Linear(4, 6), before(), layer, behind(), nn.Linear(5, 2))
    randomise(model.double())
    with torch.no_grad():
        layer.weight[0] = layer.bias[0] = 0
    recipe = Recipe.preset("epsilon").using("2", "gamma").using("4", above)
    ledger = relprop.Explainer(model, recipe)(signed(3, 4), target=1, ledger=True).ledger
    assert ledger.error < 1e-9
    assert all(entry.error.abs().max() < 1e-9 for entry in ledger.entries)


def test_what_is_absorbed_by_cause_on_paper():
    """Z = (2, -3) x + 1 under epsilon; score = 4 relu(z) - 5."""
    model = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 2)).double().eval()
    model[0].weight.data = torch.tensor([[2.0, -3.0]]).double()
    model[0].bias.data = torch.tensor([1.0]).double()
    model[2].weight.data = torch.tensor([[4.0], [0.0]]).double()
    model[2].bias.data = torch.tensor([-5.0, 0.0]).double()
    x = torch.tensor([[3.0, 1.0]]).double()  # z = 4, score = 11
    recipe = Recipe.preset("zero").using("0", "epsilon", epsilon=1.0)
    ledger = relprop.Explainer(model, recipe)(x, target=0, ledger=True).ledger
    last, first = ledger.entries
    assert (float(last.relevance_in), float(last.relevance_out)) == (11.0, 16.0)
    assert float(last.absorbed["bias"]) == -5.0
    # R = 16 at z = 4: s = 16 / (4 + 1), so that the bias takes s * 1 and epsilon s * 1
    assert float(first.relevance_in) == 16.0
    torch.testing.assert_close(float(first.absorbed["bias"]), 16 / 5)
    torch.testing.assert_close(float(first.absorbed["stabiliser"]), 16 / 5)
    torch.testing.assert_close(float(first.relevance_out), 16 / 5 * 3)
    assert ledger.error < 1e-12


def test_constants_and_linearisation_on_paper():
    class Model(nn.Module):
        def forward(self, x):
            return (torch.cat([x, torch.full_like(x, 7.0)], 1) + 2.0).exp()

    x = torch.tensor([[0.5, -0.25]]).double()
    end = relprop.Selector(operation="exp")  # a glob would not let it end the model
    recipe = Recipe.preset("zero").using("*", "gradient").using(end, "gradient")
    ledger = relprop.Explainer(Model().eval(), recipe)(x, target=0, ledger=True).ledger
    power, sum_, cat = ledger.entries
    score = torch.tensor(2.5).double().exp()
    # exp(u) at u = 2.5 by its gradient: 2.5 exp(2.5) goes on, (1 - 2.5) exp(2.5) is left out
    torch.testing.assert_close(power.relevance_out, 2.5 * score[None])
    torch.testing.assert_close(power.absorbed["linearisation"], -1.5 * score[None])
    torch.testing.assert_close(sum_.absorbed["linearisation"], 2.0 * score[None])
    assert float(cat.absorbed["linearisation"]) == 0.0
    assert ledger.error < 1e-12


def test_a_rule_that_loses_relevance_without_telling_shows():
    @relprop.rule()
    def careless(step) -> Back:
        """Half of it is gone."""
        return Back(lambda v: step.transpose(v, step.weights) / 2, lambda v: {})

    model = randomise(nn.Sequential(nn.Linear(4, 3, bias=False))).double()
    recipe = Recipe.preset("zero").using("0", careless)
    ledger = relprop.Explainer(model, recipe)(signed(2, 4), target=0, ledger=True).ledger
    torch.testing.assert_close(ledger.error, 0.5)


def test_a_sample_that_scores_zero_hides_no_other():
    model = nn.Sequential(nn.Linear(4, 3, bias=False), nn.Linear(3, 2, bias=False)).double()
    x = signed(2, 4)
    x[0] = 0
    ledger = relprop.Explainer(randomise(model).eval(), "epsilon")(x, 1, ledger=True).ledger
    assert ledger.imbalance[0] == 0
    assert 0 < ledger.error < 1e-12


@pytest.mark.filterwarnings("ignore::relprop.errors.AmplificationWarning")
@pytest.mark.parametrize("w", [[1.0, -1.0, 0.0], [1.0, 1.0, -1.0]])
def test_a_score_that_is_zero_but_for_rounding_is_measured_by_its_parts(w):
    """1/2 - 1/2, and 0.1 + 0.2 - 0.3, which floating point numbers leave 2^-54 of."""
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 1, bias=False)).double().eval()
    model[0].weight.data, model[1].weight.data = torch.eye(3).double(), torch.tensor([w]).double()
    x = [[0.1, 0.2, 0.3], [0.5, 0.5, 1.0], [1.0, 0.0, 0.0]]
    x = torch.tensor(x, dtype=torch.float64)
    explainer = relprop.Explainer(model, "zero")
    ledger = explainer(x, ledger=True).ledger
    parts = x * model[1].weight.data
    cancels = parts.sum(1).abs() < 1e-12
    want = torch.where(cancels, parts.abs().sum(1), parts.sum(1).abs())
    assert cancels.any()
    torch.testing.assert_close(ledger.size, want)
    assert ledger.error < 1e-12
    alone = explainer(x[cancels][:1], ledger=True).ledger.plot()
    assert max(abs(bar.get_width()) for bar in alone.axes[0].containers[0]) <= 1


def test_rounding_leaves_no_infinite_error():
    """Straight-through rounding: most samples round to scores of exactly 0."""
    model = nn.Sequential(nn.Linear(3, 3, bias=False), Rounds(), nn.Linear(3, 1, bias=False))
    selector = relprop.Selector(operation="round")
    recipe = Recipe.preset("zero").using(selector, "straight-through")
    explainer = relprop.Explainer(randomise(model).double(), recipe)
    e = explainer(0.5 * signed(100, 3), ledger=True)
    assert int((e.output == 0).sum()) > 10
    assert e.ledger.error < 1e-12


class Rounds(nn.Module):
    def forward(self, x):
        return x.round()


def test_one_for_each_of_several_targets_and_none_without_asking():
    model, x = randomise(nn.Sequential(nn.Linear(4, 3))).double(), signed(2, 4)
    explainer = relprop.Explainer(model, "zero")
    e = explainer(x, target=[relprop.at(0), relprop.at(2)], ledger=True)
    assert [float(ledger.relevance_in[1]) for ledger in e.ledger] == [
        float(e.output[1, 0]),
        float(e.output[1, 2]),
    ]
    with pytest.raises(relprop.RelpropError, match="ledger=True"):
        _ = explainer(x).ledger


class Sorted(nn.Module):
    """Rows of all samples in the order of their first value, as experts get their tokens."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):  # (batch, rows, 4)
        rows = x.reshape(-1, 4)
        order = (rows[:, 0] * 8).to(torch.int64).argsort()
        done = self.layer(rows[order]).relu()
        back = torch.zeros_like(done).index_add(0, order, done)
        return self.head(back.reshape(x.shape).sum(1))


def test_samples_that_a_model_sorts_among_one_another():
    model, x = randomise(Sorted()).double(), signed(3, 5, 4)
    explainer = relprop.Explainer(model, "epsilon")
    e = explainer(x, target=1, ledger=True)
    assert e.ledger.error < 1e-9
    torch.testing.assert_close(e.ledger.relevance_out, e.relevance.sum((1, 2)))
    alone = [explainer(row[None], target=1, ledger=True).ledger for row in x]
    for i, entry in enumerate(e.ledger.entries):
        torch.testing.assert_close(
            entry.relevance_in, torch.cat([led.entries[i].relevance_in for led in alone])
        )


def test_samples_inside_a_merged_dimension():
    """nn.MultiheadAttention puts the samples behind the positions before its last layer."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.head = nn.Linear(8, 3)

        def forward(self, x):
            return self.head(self.attention(x, x, x, need_weights=False)[0].mean(1))

    model, x = randomise(Model()).double(), signed(3, 5, 8)
    explainer = relprop.Explainer(model)
    together = explainer(x, target=0, ledger=True).ledger
    alone = [explainer(row[None], target=0, ledger=True).ledger for row in x]
    for i, entry in enumerate(together.entries):
        expected = torch.cat([ledger.entries[i].relevance_in for ledger in alone])
        torch.testing.assert_close(entry.relevance_in, expected)


def test_it_is_printed_and_plotted(explainers):
    explainer = explainers[torch.float64].with_recipe("epsilon")
    ledger = explainer(signed(3, 2, 12, 12), target=1, ledger=True).ledger
    lines = str(ledger).splitlines()
    assert len(lines) == len(ledger.entries) + 3
    assert lines[2].split()[:3] == ["10", "linear", "epsilon(epsilon=1e-06,"]
    assert lines[-1].split()[:2] == ["all", f"{float(ledger.relevance_in.mean()):.4g}"]
    figure = ledger.plot()
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[0] == "10 linear"
    given = figure.axes[0].containers[0][0].get_width()
    expected = float(ledger.entries[0].relevance_out.mean() / ledger.relevance_in.abs().mean())
    assert given == pytest.approx(expected)


def test_files_and_pages_have_every_number(explainers, tmp_path):
    explainer = explainers[torch.float64].with_recipe("epsilon")
    ledger = explainer(signed(3, 2, 12, 12), target=1, ledger=True).ledger
    ledger.to_csv(tmp_path / "ledger.csv")
    with (tmp_path / "ledger.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * len(ledger.entries)
    for k, row in enumerate(rows):
        sample, entry = divmod(k, len(ledger.entries))
        one = ledger.entries[entry]
        assert (row["sample"], row["module"], row["rule"]) == (str(sample), one.module, one.rule)
        assert float(row["in"]) == float(one.relevance_in[sample])
        assert float(row["error"]) == float(one.error[sample])
        given = {c: row[c] for c in CAUSES if row[c]}
        assert {c: float(v) for c, v in given.items()} == {
            c: float(v[sample]) for c, v in one.absorbed.items()
        }
    ledger.to_html(tmp_path / "ledger.html")
    page = (tmp_path / "ledger.html").read_text()
    assert ledger._repr_html_() in page
    assert page.count("<tr>") == len(ledger.entries) + 2  # the head, and all together
    total = f"{float(ledger.relevance_in.mean()):.4g}"
    assert f'<td>all</td><td></td><td class="number">{total}</td>' in page
    assert f"{total} came in" in page
    with pytest.raises(InputError) as error:
        ledger.to_csv(tmp_path / "ledger.html")
    assert error.value.todo == f'write ledger.to_csv("{tmp_path}/ledger.csv")'


class Swallows(nn.Module):
    """NaN is gone before the samples are moved to the second dimension."""

    def __init__(self):
        super().__init__()
        self.e, self.head = nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, x):
        h = self.e(x)
        h = torch.where(h > 0, h, torch.zeros(()))
        return self.head(h.transpose(0, 1).mean(0))


def test_samples_that_swallow_what_would_mark_them():
    model, x = randomise(Swallows()).double(), signed(3, 5, 8)
    explainer = relprop.Explainer(model)
    whole = explainer(x, target=1, ledger=True)
    one = explainer(x[1:2], target=1, ledger=True)
    torch.testing.assert_close(whole.ledger.relevance_out[1:2], one.ledger.relevance_out)
    assert whole.ledger.error < 1e-9
    read_anew = relprop.Explainer(model, capture="per-input")
    assert read_anew(x[:1], target=1, ledger=True).ledger.error < 1e-9
    with pytest.raises(relprop.RelpropError, match="one sample at a time"):
        read_anew(x, target=1, ledger=True)
