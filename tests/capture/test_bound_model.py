"""Models whose plain arguments are bound, and the output that is selected of several."""

from dataclasses import dataclass

import pytest
import torch
from helpers.models_with_inputs import Scaled
from helpers.networks import randomise, signed
from torch import nn

import relprop


@dataclass
class Unlike:
    """No tuple and no mapping."""

    scores: torch.Tensor


class Several(nn.Module):
    def __init__(self, returns):
        super().__init__()
        self.layer, self.returns = nn.Linear(4, 3), returns

    def forward(self, x):
        return self.returns(self.layer(x))


@pytest.mark.parametrize(
    ("returns", "output"),
    [
        (lambda z: (z, z + 1), 0),
        (lambda z: [z + 1, z], 1),
        (lambda z: {"loss": z.sum(1), "logits": z}, None),
        (lambda z: {"a": z + 1, "b": z}, "b"),
        (lambda z: {"only": z}, None),
        (lambda z: torch.return_types.max((z, z.long())), 0),
    ],
)
def test_which_of_several_results(returns, output):
    model, x = randomise(Several(returns)).double(), signed(2, 4)
    e = relprop.Explainer(model, "zero", output=output)(x, target=1)
    torch.testing.assert_close(e.relevance, x * model.layer.weight[1].detach())


@pytest.mark.parametrize(
    ("returns", "output", "message"),
    [
        (lambda z: (z, z + 1), None, r"returns 2 tensors(.|\n)*one of 0, 1(.|\n)*output=0"),
        (lambda z: {"a": z, "b": z}, "c", r"none of them 'c'(.|\n)*'a', 'b'"),
        (lambda z: Unlike(z), None, "returns 0 tensors"),
        (lambda z: z, 1, "returns 1 tensors"),
    ],
)
def test_a_result_that_is_not_clear(returns, output, message):
    model = Several(returns).eval()
    with pytest.raises(relprop.RelpropError, match=message):
        relprop.Explainer(model, "zero", output=output)(signed(2, 4).float())


@pytest.mark.parametrize(
    ("returns", "output", "message"),
    [
        (lambda z: z.argmax(1), None, "dtype torch.int64(.|\n)*leave out argmax"),
        (lambda z: z > 0, None, "dtype torch.bool"),
        (lambda z: None, None, "0 tensors: None(.|\n)*wrap the model"),
        (lambda z: {"out": {"logits": z}}, None, r"a dict with 'out': dict(.|\n)*wrap the model"),
        (lambda z: {"out": {"logits": z}}, 0, r"none of them 0(.|\n)*wrap the model"),
    ],
)
def test_a_result_without_scores(returns, output, message):
    with pytest.raises(relprop.RelpropError, match=message):
        relprop.Explainer(Several(returns).eval(), "zero", output=output)(signed(2, 4).float())


def test_plain_values_are_told_apart_to_the_last():
    model, x = randomise(Scaled()).double(), signed(2, 4)
    explainer = relprop.Explainer(model, "zero")
    for scales in ([1.0] * 2000, [1.0] * 1000 + [3.0] * 1000, (1.0, 2.0)):
        e = explainer((x, scales), target=1)
        torch.testing.assert_close(e.output, model(x, scales).detach())
