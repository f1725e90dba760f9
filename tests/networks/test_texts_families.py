"""Each family of networks for texts: what padding does, what may be searched, explanations."""

from dataclasses import replace

import pytest
import torch
from helpers.networks import randomise

import relprop
from relprop.networks.family import Choice, Facts
from relprop.networks.texts_families import ENCODER, TEXT_FAMILIES
from relprop.training.settings import TrainingSettings

FACTS = Facts("text", "classes", 3, 50, (9,), vocabulary=20)
FAMILIES = pytest.mark.parametrize("family", TEXT_FAMILIES, ids=lambda family: family.name)
IDS = torch.tensor([[2, 5, 7, 3, 9, 11, 0, 0, 0], [4, 4, 6, 19, 0, 0, 0, 0, 0], [1] + [0] * 8])


def build(family, **settings):
    torch.manual_seed(0)
    model = randomise(family.build({**family.default(FACTS), **settings}, FACTS)).float()
    for name, value in model.state_dict().items():
        if name in ("ratio", "words.vectors.weight"):
            value[0] = 0  # padding, as in a network that was not drawn at random
    return model


@FAMILIES
def test_the_default_is_explained_and_its_ledger_balances(family):
    explanation = relprop.Explainer(build(family))(IDS, ledger=True)
    assert explanation.relevance.shape == IDS.shape
    assert explanation.ledger.error < 1e-4
    assert (explanation.relevance[IDS != 0] != 0).sum() > 6


@FAMILIES
def test_padding_has_no_influence(family):
    model = build(family)
    with torch.no_grad():
        torch.testing.assert_close(model(IDS), model(IDS[:, :6]), rtol=1e-4, atol=1e-5)


@FAMILIES
def test_the_last_token_counts(family):
    model, changed = build(family), IDS.clone()
    changed[0, 5] = 12
    with torch.no_grad():
        before, after = model(IDS), model(changed)
    assert not torch.allclose(before[0], after[0])
    torch.testing.assert_close(before[1:], after[1:])


@FAMILIES
def test_all_that_may_be_searched_has_a_default_and_builds(family):
    default, space = family.default(FACTS), family.space(FACTS)
    assert set(space) <= set(default)
    for name, choice in space.items():
        ends = choice.options if isinstance(choice, Choice) else (choice.low, choice.high)
        for value in ends:
            with torch.no_grad():
                model = family.build({**default, name: value}, FACTS).eval()
                assert model(IDS).isfinite().all()


@pytest.mark.parametrize("family", [*TEXT_FAMILIES, ENCODER], ids=lambda family: family.name)
def test_the_default_names_how_texts_become_tokens_and_how_it_is_trained(family):
    default = family.default(replace(FACTS, encoder="folder"))
    assert default["tokens"] == {"ngrams": "ngrams", "encoder": "encoder"}.get(family.name, "words")
    assert "folder" not in default.values()
    assert TrainingSettings.of(default).steps(8000) > 100
    assert set(ENCODER.space(FACTS)) <= set(ENCODER.default(FACTS))
