"""Removal of tokens, on a model whose reason is known."""

import pytest
import torch
from helpers.removal_models import weighted
from torch import nn

import relprop
from relprop.errors import InputError
from relprop.evaluate import (
    delete,
    hide,
    removal_curve,
    removal_curves,
    tokens,
)

MASK_TOKEN, PAD = 1, 0


class Reader(nn.Module):
    """Scores the sum of its tokens' values, and half of that of the token at the first place."""

    def __init__(self):
        super().__init__()
        values = torch.tensor([0.0, 0.0, 4.0, -2.0, 1.0, 0.5, 3.0]).double()
        self.values = nn.Embedding.from_pretrained(values[:, None])
        self.seen = []

    def forward(self, input_ids, attention_mask):
        self.seen.append((input_ids.tolist(), attention_mask.tolist()))
        found = self.values(input_ids).squeeze(2) * attention_mask
        score = found.sum(1) + found[:, 0] / 2
        return {"logits": torch.stack([score, torch.zeros_like(score)], 1), "hidden": found}


IDS = torch.tensor([[2, 3, 4, 6], [5, 2, 4, PAD]])
TEXT = {"input_ids": IDS, "attention_mask": (IDS != PAD).long()}
RELEVANCE = torch.tensor([[6.0, -2, 1, 3], [0.75, 4, 1, 99]])  # padding claims the most


def curve(**settings):
    model = Reader().eval()
    settings = {"score": "logit", "target": 0, "steps": (1, 2, 3), **settings}
    return removal_curve(model, TEXT, RELEVANCE, **settings), model.seen


# ---- text ------------------------------------------------------------------------------


def test_tokens_become_the_mask_token_and_padding_is_left_alone():
    got, seen = curve(fill=MASK_TOKEN, batch_size=2)
    assert got.scores.tolist() == [[8, 2, -1, -2], [5.75, 1.75, 0.75, 0]]
    assert got.units.tolist() == [4, 3]
    ids = [one[0] for one in seen]
    assert ids[1] == [[1, 3, 4, 6], [5, 1, 4, 0]]
    assert ids[3] == [[1, 3, 1, 1], [1, 1, 1, 0]]
    assert {str(mask) for _, mask in seen} == {"[[1, 1, 1, 1], [1, 1, 1, 0]]"}


def test_a_deleted_token_makes_room_for_those_after_it():
    """Now another token stands at the first place, and counts there half as much again."""
    got, seen = curve(fill=delete(pad=PAD), batch_size=2)
    assert seen[1] == ([[3, 4, 6, 0], [5, 4, 0, 0]], [[1, 1, 1, 0], [1, 1, 0, 0]])
    assert seen[2] == ([[3, 4, 0, 0], [5, 0, 0, 0]], [[1, 1, 0, 0], [1, 0, 0, 0]])
    assert got.scores.tolist() == [[8, 1, -2, -3], [5.75, 1.75, 0.75, 0]]
    assert got.fill == "delete"


def test_a_hidden_token_keeps_its_place():
    got, seen = curve(fill=hide(), batch_size=2)
    assert seen[1] == (IDS.tolist(), [[0, 1, 1, 1], [1, 0, 1, 0]])
    assert got.scores.tolist() == curve(fill=MASK_TOKEN)[0].scores.tolist()


@pytest.mark.parametrize("fill", [MASK_TOKEN, delete(), hide(), "marginal", "mode"])
def test_the_size_of_batches_changes_nothing(fill):
    for order in ("morf", "lerf", "random"):
        one = curve(fill=fill, order=order, batch_size=2)[0].scores
        assert one.equal(curve(fill=fill, order=order, batch_size=1)[0].scores)
        assert one.equal(curve(fill=fill, order=order, batch_size=100)[0].scores)


def test_least_relevant_tokens_first():
    got, _ = curve(fill=MASK_TOKEN, order="lerf")
    assert got.scores.tolist() == [[8, 10, 9, 6], [5.75, 5, 4, 0]]


def test_some_tokens_can_be_kept_for_good():
    """A first token that the model always needs, by a mask of what may be removed."""
    present = TEXT["attention_mask"].clone()
    present[:, 0] = 0
    got, _ = curve(fill=MASK_TOKEN, units=tokens(present), steps=2)
    assert got.units.tolist() == [3, 2]
    assert got.scores[:, -1].tolist() == [6.0, 0.75]


def test_text_is_explained_and_tested_by_the_package_s_own_explainer():
    """By position and by name, the explainer and the curve take the same inputs."""
    torch.manual_seed(0)

    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = nn.Embedding(20, 8)
            self.head = nn.Linear(8, 3)

        def forward(self, input_ids, attention_mask):
            h = self.tokens(input_ids) * attention_mask.unsqueeze(2)
            return self.head(
                torch.relu(h).sum(1) / attention_mask.sum(1, keepdim=True).clamp(min=1)
            )

    model, ids = Small().eval(), torch.randint(1, 20, (4, 6))
    text = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    explainer = relprop.Explainer(model, "epsilon")
    curves = removal_curves(
        model,
        text,
        {"epsilon": lambda net, part, classes: explainer(part, classes).relevance},
        fill=delete(),
        steps=3,
    )
    e = explainer(text)
    assert curves["epsilon"].morf.target.equal(e.prediction)
    alone = removal_curve(model, text, e.relevance, fill=delete(), steps=3)
    torch.testing.assert_close(curves["epsilon"].morf.scores, alone.scores)


# ---- bad input -------------------------------------------------------------------------


def test_tokens_are_deleted_by_the_attention_mask():
    model, x = weighted(4)
    for fill in (delete(), hide()):
        with pytest.raises(InputError, match=rf'fill="{fill.name}" for the inputs x'):
            removal_curve(model, x, x, fill=fill, steps=2)
    with pytest.raises(InputError, match='fill="delete" for the inputs input_ids, attention_mask'):
        curve(fill=delete("mask"))


@pytest.mark.parametrize(("ids", "mask"), [((2, 4), (2, 3)), ((2, 4, 3), (2, 4, 3))])
def test_ids_and_mask_are_both_of_tokens(ids, mask):
    text = {"input_ids": torch.zeros(ids).long(), "attention_mask": torch.ones(mask)}
    with pytest.raises(InputError, match='fill="delete"') as caught:
        removal_curve(Reader().eval(), text, torch.zeros(ids), fill=delete(), steps=2)
    assert caught.value.allowed == 'token ids and "attention_mask", both (n, length)'
