"""The adapter for Quantus: by Quantus' own metrics where it is installed, else by its call."""

import copy

import numpy
import pytest
import torch
from helpers.networks import small_cnn

import relprop
from relprop.integrations.quantus import ExplainFunc

torch.manual_seed(0)
MODEL = small_cnn().eval()
X = torch.rand(6, 2, 12, 12)
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])


@pytest.fixture(scope="module")
def explain():
    return ExplainFunc(relprop.Explainer(MODEL, "epsilon-plus"))


def expected(model):
    return relprop.explain(model, X, "epsilon-plus", LABELS).relevance.numpy()


def test_it_is_called_as_quantus_calls(explain):
    """By name, with arrays of another type, some of them views that cannot be written."""
    view = X.double().numpy()[::-1]
    view.flags.writeable = False
    got = explain(
        model=MODEL, inputs=view, targets=LABELS.numpy()[::-1].astype("int32"), device="cpu"
    )
    assert isinstance(got, numpy.ndarray)
    numpy.testing.assert_allclose(got[::-1], expected(MODEL), rtol=1e-5, atol=1e-7)


def test_it_explains_the_model_that_it_is_called_with(explain):
    """Quantus reinitialises the layers of a copy one after the other, and explains it each time."""
    changed, maps = copy.deepcopy(MODEL), []
    for layer in (changed[10], changed[7]):
        layer.reset_parameters()
        maps.append(explain(model=changed, inputs=X.numpy(), targets=LABELS.numpy()))
        numpy.testing.assert_allclose(maps[-1], expected(changed), rtol=1e-5, atol=1e-7)
    own = explain(model=MODEL, inputs=X.numpy(), targets=LABELS.numpy())
    assert not numpy.allclose(maps[0], maps[1])
    assert not numpy.allclose(maps[1], own)


def test_an_option_that_it_does_not_know_is_an_error(explain):
    with pytest.raises(TypeError, match="epsilon"):
        explain(model=MODEL, inputs=X.numpy(), targets=LABELS.numpy(), epsilon=0.1)


# ---- with Quantus itself ---------------------------------------------------------------


@pytest.fixture
def call(explain):
    return {
        "model": MODEL,
        "x_batch": X.numpy(),
        "y_batch": LABELS.numpy(),
        "explain_func": explain,
        "device": "cpu",
    }


@pytest.mark.filterwarnings("ignore")
def test_sparseness_of_quantus_is_that_of_relprop(call):
    quantus = pytest.importorskip("quantus")
    metric = quantus.Sparseness(disable_warnings=True, normalise=False)
    sizes = torch.from_numpy(expected(MODEL)).abs() + 1e-7  # which Quantus adds to every feature
    ours = relprop.evaluate.sparseness(sizes)
    numpy.testing.assert_allclose(metric(**call), ours.numpy(), rtol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_parameter_randomisation_of_quantus_is_that_of_relprop(call):
    """Both call reset_parameters; only the first layer has the same seed in both."""
    quantus = pytest.importorskip("quantus")
    metric = quantus.MPRT(
        similarity_func=quantus.similarity_func.correlation_spearman,
        layer_order="top_down",
        seed=41,  # to which Quantus adds 1
        normalise=False,
        abs=False,
        skip_layers=False,
        disable_warnings=True,
    )
    theirs = metric(**call)
    ours = relprop.evaluate.parameter_randomisation(
        *(MODEL, X), call["explain_func"].method, target=LABELS, seed=42, layers=["10"]
    )
    numpy.testing.assert_allclose(theirs["10"], ours.spearman[0].numpy(), atol=1e-4)
