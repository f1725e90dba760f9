"""Architectures of benchmarks/architectures.py: they are explained, and their ledgers balance."""

from collections.abc import Mapping

import pytest
import torch
from zoo import ZOO

import relprop

SAMPLE = (
    *("torch/encoder, padding masked", "torch/gru, two ways, two layers", "torch/unet"),
    *("torch/messages, index_add", "torch/messages, scatter_add", "torch/encoder and decoder"),
    *("torchvision/resnet18", "torchvision/mobilenet_v3_small", "torchvision/shufflenet_v2_x0_5"),
    *("torchvision/squeezenet1_1", "torchvision/convnext_tiny", "torchvision/vit"),
    "transformers/BertForSequenceClassification",
    "transformers/GPT2ForSequenceClassification",
    "transformers/ViTForImageClassification",
    "transformers/Wav2Vec2ForSequenceClassification",
)
EXACT = (  # one of each kind
    *("torch/encoder, padding masked", "torch/gru, two ways, two layers", "torch/unet"),
    *("torch/messages, index_add", "torchvision/resnet18", "torchvision/shufflenet_v2_x0_5"),
    "torchvision/convnext_tiny",
    "transformers/BertForSequenceClassification",
    "transformers/Wav2Vec2ForSequenceClassification",
)
SINGLE = (  # these compute in float32, whatever the model's dtype
    "transformers/LlamaForCausalLM",
    "transformers/MixtralForSequenceClassification",
)


def in_float64(inputs):
    if isinstance(inputs, Mapping):
        return {name: in_float64(x) for name, x in inputs.items()}
    return inputs.double() if inputs.is_floating_point() else inputs


def check(explanation: relprop.Explanation, limit: float) -> None:
    """Check that the ledger balances and adds up to the score and the relevance of the result."""
    relevance = torch.stack([r.flatten(1).sum(1) for r in explanation.relevances.values()])
    assert relevance.isfinite().all()
    assert relevance.any()
    ledger, score = explanation.ledger, explanation.output.amax(1)
    scale = score.abs()
    assert ((ledger.relevance_in - score).abs() <= limit * scale).all()
    assert ((ledger.relevance_out - relevance.sum(0)).abs() <= limit * scale).all()
    assert ledger.error <= limit


@pytest.mark.parametrize("name", [*SAMPLE, *SINGLE])
def test_the_ledger_of_an_architecture_balances(name):
    model, inputs = ZOO[name].build()
    check(relprop.Explainer(model)(inputs, ledger=True), 1e-4)


@pytest.mark.parametrize("name", EXACT)
def test_in_float64_it_balances_nearly_exactly(name):
    model, inputs = ZOO[name].build()
    explainer, inputs = relprop.Explainer(model.double()), in_float64(inputs)
    accounted = explainer(inputs, ledger=True)
    check(accounted, 1e-9)
    alone = explainer(inputs)  # reuses buffers, which a ledger does not
    for label, expected in accounted.relevances.items():
        torch.testing.assert_close(alone.relevances[label], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_epsilon_on_resnet50_is_gradient_times_input(dtype):
    """Rules that propagate relevance and divide by each activation give sums of 1e12 here."""
    model, x = ZOO["torchvision/resnet50"].build()
    model, x = model.to(dtype), x.to(dtype)
    relevance = relprop.explain(model, x, "epsilon").relevance
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf).amax(1).sum(), leaf)
    expected = gradient * x
    distance = (relevance - expected).flatten(1).norm(dim=1) / expected.flatten(1).norm(dim=1)
    assert (distance <= 1e-2).all()
