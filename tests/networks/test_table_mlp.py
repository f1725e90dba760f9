"""Networks for tables: members are separate in training and one explained network after it."""

import pytest
import torch

import relprop
from relprop.errors import InputError
from relprop.networks.family import Facts
from relprop.networks.tables import TABLE_FAMILIES

FACTS = Facts("table", "classes", outputs=3, samples=200, shape=(6,))


def network(family, **changes):
    settings = {**family.default(FACTS), "width": 8, "depth": 2, "dropout": 0.0, **changes}
    torch.manual_seed(0)
    made = family.build(settings, FACTS)
    with torch.no_grad():
        for parameter in made.parameters():  # biases, too, which begin with 0
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return made


@pytest.fixture(params=TABLE_FAMILIES, ids=lambda family: family.name)
def family(request):
    return request.param


def test_evaluated_scores_are_the_mean_of_the_members(family):
    x = torch.randn(5, 6)
    several = network(family, ensemble=4, normalisation="none")
    by_member = several.train()(x)
    assert by_member.shape == (5, 4, 3)
    torch.testing.assert_close(several.eval()(x), by_member.mean(1))


def test_members_learn_apart(family):
    """The loss of one member moves its own head, and no other one."""
    several = network(family, ensemble=3, normalisation="none").train()
    several(torch.randn(5, 6))[:, 1].sum().backward()
    moved = several.head.weight.grad.abs().sum((1, 2)) > 0
    assert moved.tolist() == [False, True, False]


@pytest.mark.parametrize("normalisation", ["none", "batch"])
@pytest.mark.parametrize("ensemble", [1, 4])
def test_relevance_balances(family, ensemble, normalisation):
    x = torch.randn(8, 6)
    trained = network(family, ensemble=ensemble, normalisation=normalisation)
    trained.train()(x)  # statistics of BatchNorm
    explanation = relprop.Explainer(trained.eval())(x, target=1, ledger=True)
    score = trained(x)[:, 1].detach().double()
    torch.testing.assert_close(explanation.ledger.relevance_in, score, rtol=1e-5, atol=1e-6)
    assert explanation.ledger.error < 1e-4
    assert explanation.relevance.abs().sum(1).min() > 0


def test_an_unknown_setting_is_refused(family):
    with pytest.raises(InputError, match="activation is 'relu6'") as caught:
        network(family, activation="relu6")
    assert caught.value.todo == 'write "relu"'


def test_an_unknown_normalisation_is_refused():
    residual = next(family for family in TABLE_FAMILIES if family.name == "residual-mlp")
    with pytest.raises(InputError, match="normalisation is 'layer'"):
        network(residual, normalisation="layer")
