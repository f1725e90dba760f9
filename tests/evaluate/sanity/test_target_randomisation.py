"""Target randomisation, against relevance that is computed for both classes and compared."""

import pytest
import torch
from helpers.sanity_methods import gradient_times_input, looks_at_the_input_alone, perceptron
from scipy import stats
from torch import nn

from relprop.errors import InputError
from relprop.evaluate import target_randomisation

MODEL, X = perceptron(6, 5, 4, 3)


def rank_correlations(first, second):
    pairs = zip(first.flatten(1).numpy(), second.flatten(1).numpy(), strict=True)
    return torch.tensor([stats.spearmanr(a, b).statistic for a, b in pairs])


def test_it_compares_the_relevance_of_both_classes():
    got = target_randomisation(MODEL, X, gradient_times_input, target=1, seed=3)
    assert got.target.tolist() == [1] * 7
    first, second = (gradient_times_input(MODEL, X, t) for t in (got.target, got.other_target))
    torch.testing.assert_close(got.spearman, rank_correlations(first, second))
    torch.testing.assert_close(got.cosine, torch.cosine_similarity(first, second))


def test_the_other_class_is_any_but_the_target():
    x, target = torch.randn(3000, 6).double(), torch.arange(3000) % 3
    got = target_randomisation(MODEL, x, looks_at_the_input_alone, target=target)
    found = torch.zeros(3, 3).index_put(
        (got.target, got.other_target), torch.ones(3000), accumulate=True
    )
    assert found.diagonal().tolist() == [0, 0, 0]
    for row in range(3):
        counts = [int(found[row, other]) for other in range(3) if other != row]
        assert stats.chisquare(counts).pvalue > 0.01
    again = target_randomisation(MODEL, x, looks_at_the_input_alone, target=target)
    assert got.other_target.equal(again.other_target)


def test_of_two_opposite_classes_relevance_is_opposite():
    model = nn.Linear(6, 2, bias=False).double().eval()
    with torch.no_grad():
        model.weight[1] = -model.weight[0]
    got = target_randomisation(model, X, gradient_times_input)
    torch.testing.assert_close(got.spearman, -torch.ones(7).double())
    assert "cosine    -1.0000 [-1.0000, -1.0000]" in repr(got)


def test_one_class_has_no_other():
    model, x = perceptron(6, 1)
    with pytest.raises(InputError, match="a model of one class"):
        target_randomisation(model, x, gradient_times_input)
