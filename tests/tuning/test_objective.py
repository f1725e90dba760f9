"""What recipes are judged by: the measures of `relprop.evaluate`, computed once for all recipes."""

import pytest
import torch
from torch import nn

import relprop
from relprop.errors import InputError
from relprop.evaluate import localisation, removal_curves, sparseness
from relprop.tuning.objective import Judging, check_measures, fills_of, judge_samples, take_rows

torch.manual_seed(0)
MODEL = nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 3)).eval()
X = torch.randn(10, 1, 4, 4)
EXPLAINER = relprop.Explainer(MODEL, "gamma")


def explain(x, target):
    return EXPLAINER(x, target).relevance.detach()


def judged(measures, fills=("zero",), masks=None, model=MODEL):
    judging = Judging(measures, fills_of(fills, X), steps=5)
    return judge_samples(model, X, None, judging, masks)


@pytest.mark.parametrize("fill", ["zero", "mean", "marginal"])
def test_removal_measures_are_those_of_evaluate(fill):
    found = judged(("srg", "morf", "lerf"), [fill]).measure(explain)
    target = MODEL(X).argmax(1)
    own = fills_of([fill], X)[fill]
    curves = removal_curves(MODEL, X, {"r": explain(X, target)}, fill=own, steps=5)["r"]
    torch.testing.assert_close(found["srg", fill], curves.srg.double())
    torch.testing.assert_close(found["morf", fill], 1 - curves.morf.auc.double())
    torch.testing.assert_close(found["lerf", fill], curves.lerf.auc.double())


def test_maps_are_measured_without_a_fill():
    masks = torch.zeros(10, 4, 4)
    masks[:, :2] = 1
    found = judged(("sparseness", "localisation"), masks=masks).measure(explain)
    relevance = explain(X, MODEL(X).argmax(1))
    torch.testing.assert_close(found["sparseness", ""], sparseness(relevance).double())
    expected = localisation(relevance, masks).mass_accuracy
    torch.testing.assert_close(found["localisation", ""], expected.double())


def test_stability_is_one_minus_the_relative_change():
    samples = judged(("stability",))
    assert (
        samples.measure(lambda x, target: torch.ones_like(x))["stability", ""].tolist() == [1] * 10
    )
    first = torch.tensor([3.0, 4.0]).repeat(10, 1)

    def moves(x, target):  # by (0.3, 0.4), a tenth of its norm, where x is not the original
        return first if x is X else first * 1.1

    torch.testing.assert_close(
        samples.measure(moves)["stability", ""], torch.full((10,), 0.9, dtype=torch.float64)
    )


def test_originals_are_run_once_for_all_recipes():
    class Counted(nn.Module):
        seen = 0

        def forward(self, x):
            Counted.seen += len(x)
            return MODEL(x)

    samples = judged(("morf",), ["zero", "mean"], model=Counted().eval())
    assert Counted.seen == 10
    samples.measure(explain)
    samples.measure(explain)
    assert Counted.seen == 10 + 2 * 2 * 5 * 10  # two fills, five steps, all samples change


def test_named_fills_are_estimated_from_the_samples():
    fills = fills_of(["mean"], X)
    samples = judge_samples(MODEL, X[:3], None, Judging(("morf",), fills, steps=16), None)
    setup = samples.removal["mean"]
    torch.testing.assert_close(setup.replacement, X.mean().expand(3, 1, 4, 4))


def test_rows_of_mappings_are_taken():
    x = {"input_ids": torch.arange(6).reshape(3, 2), "flag": True}
    assert take_rows(x, torch.tensor([2]))["input_ids"].tolist() == [[4, 5]]
    assert take_rows(x, torch.tensor([2]))["flag"] is True


@pytest.mark.parametrize(
    ("measures", "masks", "given"),
    [
        (("srgs",), None, "the objective 'srgs'"),
        (("srg", "srg"), None, "objectives srg, srg"),
        ((), None, "objectives of no name"),
        (("localisation",), None, "the objective localisation without masks"),
    ],
)
def test_wrong_objectives_are_refused(measures, masks, given):
    with pytest.raises(InputError, match=given):
        check_measures(measures, masks)


def test_token_ids_have_no_stability():
    model = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(6, 2)).eval()
    x = torch.randint(5, (4, 2))
    samples = judge_samples(model, x, None, Judging(("stability",), {}), None)
    with pytest.raises(InputError, match="no floating point numbers"):
        samples.measure(lambda x, target: torch.ones(4, 2))
