"""A custom rule: the largest contribution to each output takes all of its relevance.

python examples/own_rule.py
"""

import torch
from torch import Tensor, nn

import relprop
from relprop import Back


@relprop.rule(kinds=("linear",), gives="relevance")
def winner(layer, *, among: float = 1.0) -> Back:
    """Give all of R_j to the inputs with the largest contributions x_i w_ij.

    Args:
        layer: The layer that was run, a `relprop.rules.layer.WeightedSum`.
        among: Contributions of at least this fraction of the largest one share equally.
    """
    contributions = layer.x[..., None, :] * layer.weights.raw  # (batch, out, in)
    largest = contributions.amax(-1, keepdim=True)
    wins = (contributions >= largest - (1 - among) * largest.abs()).to(layer.x.dtype)
    shares = wins / wins.sum(-1, keepdim=True)

    def pull(v: Tensor) -> Tensor:
        return (layer.relevance(v)[..., None] * shares).sum(-2)  # (batch, in)

    return Back(pull, absorbed=lambda v: {})


if __name__ == "__main__":
    relprop.check_rule(winner)  # once, in the tests of whoever writes a rule
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3)).eval()
    recipe = relprop.Recipe.preset("epsilon").using("0", winner, among=0.9)
    explainer = relprop.Explainer(model, recipe)
    explanation = explainer(torch.randn(2, 8), ledger=True)
    print(explainer.plan(torch.randn(2, 8)))
    print(explanation.ledger)
