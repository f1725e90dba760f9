"""Relevance of token ids that the model moves, masks or pads before an embedding looks them up."""

import pytest
import torch
from helpers.networks import randomise
from torch import nn

import relprop


class Moves(nn.Module):
    """Scores from ids that are moved before they are looked up."""

    def __init__(self, move, length):
        super().__init__()
        self.tokens, self.move = nn.Embedding(200, 4), move
        self.head = nn.Linear(4 * length, 3)

    def forward(self, ids):
        return self.head(self.tokens(self.move(ids)).tanh().flatten(1))


LETTERS = torch.tensor([[9, 8, 7, 10, 12, 11], [13, 15, 14, 18, 17, 16]])
POSITIONS = torch.arange(6).expand(2, 6)
MOVES = {  # the move, and the position that each entry came from; -1 for a constant
    "masked nowhere": (lambda i: i.masked_fill(i == 5, 1), POSITIONS),
    "masked": (
        lambda i: i.masked_fill(i == 10, 1),
        POSITIONS.masked_fill(LETTERS == 10, -1),
    ),
    "after a prefix": (lambda i: nn.functional.pad(i, (1, 0), value=2), POSITIONS),
    "after another prefix": (lambda i: nn.functional.pad(i, (1, 0), value=101), POSITIONS),
    "sorted": (lambda i: i.gather(1, i.argsort(1)), LETTERS.argsort(1)),
    "replaced and reversed": (lambda i: torch.where(i.bool(), i, 3).flip(1), POSITIONS.flip(1)),
    "of another dtype": (lambda i: i.int().roll(1, 1).long(), POSITIONS.roll(1, 1)),
}


@pytest.mark.parametrize("name", MOVES)
def test_relevance_of_tokens_that_are_moved_by_their_own_values(name):
    move, positions = MOVES[name]
    if name.startswith("after"):
        positions = nn.functional.pad(positions, (1, 0), value=-1)
    model = randomise(Moves(move, positions.shape[1])).double()
    e = relprop.Explainer(model)(LETTERS, target=1, layers=["tokens"], ledger=True)
    want = torch.zeros(2, 7, dtype=torch.float64)  # the last column: no token
    want = want.scatter_add(1, positions % 7, e.layers["tokens"].sum(-1))[:, :6]
    torch.testing.assert_close(e.relevance, want)
    assert e.ledger.error < 1e-9


def test_a_prefix_belongs_to_the_sample_in_whose_row_it_stands():
    model = randomise(Moves(MOVES["after a prefix"][0], 7)).double()
    whole = relprop.Explainer(model)(LETTERS, target=1, ledger=True).ledger
    one = relprop.Explainer(model)(LETTERS[1:], target=1, ledger=True).ledger
    torch.testing.assert_close(whole.relevance_out[1:], one.relevance_out)
