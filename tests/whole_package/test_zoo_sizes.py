"""The zoo at three sizes: an explainer that saw them all explains as one of each size alone."""

from dataclasses import replace

import pytest
import torch
from three_sizes import BY_HAND, Outcome, compare, difference, other_sizes
from zoo import ZOO

import relprop

QUICK = (
    *("torch/attention", "torch/gru", "torch/messages, scatter_add"),
    *("transformers/GPT2LMHeadModel", "transformers/ResNetForImageClassification"),
    "transformers/Wav2Vec2ForSequenceClassification",
)
SLOW = [name for name in ZOO if name not in (*QUICK, *BY_HAND)]


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_an_explainer_of_many_sizes_explains_as_one_of_each(name):
    found = compare(name)
    assert found.same, found


def test_what_is_left_to_a_run_by_hand_is_in_the_zoo():
    assert set(BY_HAND) <= set(ZOO)


def test_inputs_of_other_sizes_keep_what_is_masked():
    ids = torch.tensor([[3, 4, 5, 6, 7], [8, 9, 3, 0, 0]])
    texts = {"input_ids": ids, "attention_mask": (ids > 0).long()}
    longer, shorter, twice = other_sizes(texts)
    assert [x["input_ids"].shape[1] for x in (longer, shorter, twice)] == [10, 2, 10]
    assert longer["attention_mask"].tolist() == [[1] * 10, [1] * 8 + [0] * 2]
    assert torch.equal(longer["input_ids"][:, 5:], ids)
    assert torch.equal(shorter["input_ids"], ids[:, 3:])
    shapes = [tuple(x.shape[2:]) for x in other_sizes(torch.ones(2, 3, 64, 64))]
    assert shapes == [(96, 128), (77, 86), (128, 96)]


def test_outcomes_differ_by_an_error_a_number_an_operation_or_a_shape():
    x = torch.tensor([[2.0, -4.0]], dtype=torch.float64)
    one = Outcome("", (x,), (("head linear epsilon", x),))
    assert difference(one, one) == 0
    assert difference(one, replace(one, relevance=(x + 1e-6,))) == pytest.approx(2.5e-7)
    assert difference(one, replace(one, ledger=(("head linear zero", x),))) == float("inf")
    assert difference(one, replace(one, relevance=(x[:, :1],))) == float("inf")
    assert difference(one, Outcome("CaptureError")) == float("inf")
    assert difference(Outcome("CaptureError"), Outcome("CaptureError")) == 0
    assert difference(replace(one, relevance=(x * torch.nan,)), one) == float("inf")


def test_a_program_of_another_size_is_found_out():
    """As if relevance of a second size were that of the first, which has as many numbers."""

    class Stale(relprop.Explainer):
        def __call__(self, *arguments, **options):
            e = super().__call__(*arguments, **options)
            self.calls = getattr(self, "calls", 0) + 1
            return replace(e, relevances={k: r * self.calls for k, r in e.relevances.items()})

    assert not compare("torch/messages, scatter_add", Stale).same
