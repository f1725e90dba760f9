"""Each family of networks for series: what padding does, what may be searched, explanations."""

from dataclasses import replace

import pytest
import torch
from helpers.networks import randomise

import relprop
from relprop.networks.family import Choice, Facts
from relprop.networks.series_families import SERIES_FAMILIES
from relprop.training.settings import TrainingSettings

FACTS = Facts("series", "classes", 3, 50, (2, 21))
RAGGED = replace(FACTS, shape=(3, 21), masked=True)
LONG = replace(FACTS, shape=(1, 300))
FAMILIES = pytest.mark.parametrize("family", SERIES_FAMILIES, ids=lambda family: family.name)

FAMILY = {family.name: family for family in SERIES_FAMILIES}


def build(family, facts, **settings):
    torch.manual_seed(0)
    return randomise(family.build({**family.default(facts), **settings}, facts)).float()


def series(facts, lengths=None):
    x = torch.randn(4, *facts.shape, generator=torch.Generator().manual_seed(1))
    if facts.masked:
        steps = torch.tensor(lengths or [21, 13, 2, 1])
        mask = (torch.arange(facts.shape[1]) < steps[:, None]).float()[:, None]
        x = torch.cat([x[:, :-1] * mask, mask], 1)
    return x


@FAMILIES
def test_the_default_is_explained_and_its_ledger_balances(family):
    model, x = build(family, RAGGED), series(RAGGED)
    explanation = relprop.Explainer(model)(x, ledger=True)
    assert explanation.relevance.shape == x.shape
    assert explanation.ledger.error < 1e-4
    assert explanation.relevance.abs().sum() > 0
    assert torch.equal(explanation.relevance[:, -1], torch.zeros(4, 21))  # of the mask


@FAMILIES
def test_long_series_go_through_every_family(family):
    model, x = build(family, LONG), series(LONG)
    changed = x.clone()
    changed[0, 0, -1] += 1
    with torch.no_grad():
        before, after = model(x), model(changed)
    assert before.shape == (4, 3)
    assert not torch.equal(before[0], after[0])
    assert torch.equal(before[1:], after[1:])


@pytest.mark.parametrize(("steps", "amounts"), [(47, (0.05, 0.0)), (48, (0.02, 0.2))])
def test_short_series_are_not_stretched(steps, amounts):
    default = FAMILY["fcn"].default(replace(FACTS, shape=(2, steps)))
    assert (default["noise"], default["stretch"]) == amounts


@FAMILIES
def test_padding_has_no_influence(family):
    model = build(family, RAGGED)
    x = series(RAGGED, [18, 13, 2, 1])
    with torch.no_grad():
        whole, cut = model(x), model(x[:, :, :18])
        filled = model(torch.cat([x[:, :-1] * x[:, -1:], x[:, -1:]], 1))
    torch.testing.assert_close(whole, cut, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(whole, filled, rtol=0, atol=0)


@FAMILIES
def test_the_last_step_that_is_present_counts(family):
    model, x = build(family, RAGGED), series(RAGGED)
    changed = x.clone()
    changed[1, 0, 12] += 1
    with torch.no_grad():
        assert not torch.allclose(model(x)[1], model(changed)[1])


@pytest.mark.parametrize("family", [FAMILY["fcn"], FAMILY["cnn1d"]], ids=["fcn", "cnn1d"])
def test_a_single_step_remains_a_step_where_time_is_halved(family):
    model = build(family, RAGGED, **({"halve": True} if family.name == "fcn" else {}))
    x = series(RAGGED, [1, 1, 1, 1])
    x[0, 0, 0] += 1
    with torch.no_grad():
        scores = model(x)
    assert not torch.allclose(scores[0], scores[1])
    assert not torch.allclose(scores[1], model.head.linear.bias)  # as it would be with no step


@FAMILIES
def test_all_that_may_be_searched_has_a_default_and_builds(family):
    default = family.default(FACTS)
    space, x = family.space(FACTS), series(FACTS)
    assert set(space) <= set(default)
    for name, choice in space.items():
        ends = choice.options if isinstance(choice, Choice) else (choice.low, choice.high)
        for value in ends:
            model = family.build({**default, name: value}, FACTS).eval()
            with torch.no_grad():
                assert model(x).isfinite().all()


@FAMILIES
def test_the_default_is_trained_for_longer_where_there_is_less(family):
    few, many = (
        TrainingSettings.of(family.default(replace(FACTS, samples=n))) for n in (40, 20_000)
    )
    assert few.steps(40) > 500
    assert few.epochs > many.epochs
    assert many.steps(20_000) > few.steps(40)
