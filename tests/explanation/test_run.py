"""Relevance of one input, of several, and of token ids."""

import pytest
import torch
from helpers.models_with_inputs import IDS, MASK, Text, Two
from helpers.networks import randomise, signed
from torch import nn

import relprop
from relprop import Recipe


@pytest.fixture(scope="module")
def two() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    return randomise(Two()).double(), signed(2, 4), signed(2, 3, seed=2)


def gradients(model, left, right, **options) -> list[torch.Tensor]:
    leaves = [left.clone().requires_grad_(), right.clone().requires_grad_()]
    score = model(*leaves, **options)[:, 1].sum()
    found = torch.autograd.grad(score, leaves)
    return [leaf.detach() * g for leaf, g in zip(leaves, found, strict=True)]


def test_several_explained_at_once(two, tmp_path):
    model, left, right = two
    e = relprop.Explainer(model, "zero")(
        (left, right), target=1, explain=("right", "left"), ledger=True
    )
    want = gradients(model, left, right)
    torch.testing.assert_close(dict(e.relevances), {"right": want[1], "left": want[0]})
    assert e.relevance is e.relevances["right"]
    assert e.input.equal(right)
    assert e.ledger.error < 1e-12
    e.save(tmp_path / "e.npz")


@pytest.fixture(scope="module")
def text() -> nn.Module:
    return randomise(Text()).double()


def test_relevance_is_one_value_a_token(text):
    explainer = relprop.Explainer(text)
    e = explainer({"input_ids": IDS, "attention_mask": MASK}, layers=["tokens"], ledger=True)
    assert e.relevance.shape == IDS.shape
    torch.testing.assert_close(e.relevance, e.layers["tokens"].sum(-1))
    assert (e.relevance[MASK == 0] == 0).all()  # padding is masked
    assert (e.relevance[MASK == 1] != 0).all()
    assert e.ledger.error < 1e-9
    assert e.input.equal(IDS)
    assert "_repr_html_" in dir(e)
    assert "5" in e._repr_html_()


def test_relevance_of_tokens_is_that_of_their_embeddings(text):
    """The same model with the embedding outside, in floating point."""

    class Inside(nn.Module):
        def __init__(self):
            super().__init__()
            self.text = text

        def forward(self, embedded):
            h = embedded + text.places((IDS != 0).cumsum(1)[: len(embedded)])
            h = text.layer(h, src_key_padding_mask=MASK[: len(embedded)] == 0)
            return text.head((h * MASK[..., None][: len(embedded)]).sum(1))

    e = relprop.explain(text, {"input_ids": IDS[:1], "attention_mask": MASK[:1]}, target=2)
    one = relprop.Explainer(Inside().eval(), capture="per-input")
    inside = one(text.tokens(IDS[:1]).detach(), target=2)
    torch.testing.assert_close(e.relevance, inside.relevance.sum(-1))


def test_tokens_that_a_model_reorders_before_it_looks_them_up(text):
    transposing = randomise(Text(length_first=True)).double()
    given = {"input_ids": IDS, "attention_mask": MASK}
    want = relprop.explain(text, given, target=1)
    got = relprop.explain(transposing, given, target=1)
    torch.testing.assert_close(got.output, want.output)
    torch.testing.assert_close(got.relevance, want.relevance)


def test_an_input_that_a_recipe_cuts_off(two):
    model, left, right = two
    explainer = relprop.Explainer(model, Recipe.preset("zero").using("a", "constant"))
    with pytest.raises(relprop.RelpropError, match='no relevance would reach the input "left"'):
        explainer((left, right))
