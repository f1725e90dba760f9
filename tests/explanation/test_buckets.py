"""Explainer.map over samples of many shapes: each is explained as if it were alone."""

from dataclasses import replace
from itertools import count, islice

import pytest
import torch
from helpers.many_shapes import (
    LENGTHS,
    PICTURES,
    SENTENCES,
    SIZES,
    Masked,
    Pointer,
    mapped,
    same,
    same_each,
    sentence,
    series,
    small_cnn,
)
from helpers.networks import randomise, signed
from transformers import LlamaConfig, LlamaForCausalLM

import relprop
from relprop.errors import InputError


@pytest.fixture(scope="module")
def llama() -> relprop.Explainer:
    torch.manual_seed(0)
    return relprop.Explainer(LlamaForCausalLM(LlamaConfig(**SIZES)).double().eval())


@pytest.fixture
def batches(monkeypatch) -> list[tuple[int, ...]]:
    """Collect the shapes of the batches that are explained together."""
    shapes, explain = [], relprop.Explainer._explain_batch

    def watched(self, inputs, target, request):
        shapes.append(tuple(inputs.first.shape))
        return explain(self, inputs, target, request)

    monkeypatch.setattr(relprop.Explainer, "_explain_batch", watched)
    return shapes


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"target": 1},
        {"target": (0, 2), "initial": "one"},
        {"target": ["predicted", "runner-up", 2], "layers": ["bert.encoder.layer.0", "classifier"]},
        {"target": "all", "ledger": True},
        {"target": lambda scores: scores[:, 0] - scores[:, 1], "ledger": True},
        {"layers": ["bert.embeddings"], "ledger": True, "bucket_size": 5},
        {"conditions": {"bert.encoder.layer.0.intermediate": [*range(16)]}},
        {"batch_size": 2, "target": ["runner-up", 0]},
        {"memory": 10**6},
    ],
    ids=" ".join,
)
def test_sentences_of_many_lengths_are_explained_as_each_alone(bert, options):
    same_each(bert, SENTENCES, **options)


def test_what_is_padded_shares_batches(bert, batches):
    mapped(bert, SENTENCES, 0)  # sorted: 2 3 3 4, 5 6 7 7, 8 9 11 12; one is explained alone, too
    assert batches == [(1, 5), (4, 7), (4, 4), (4, 12)]
    batches.clear()
    mapped(
        bert, [sentence(n) for n in (9, 2, 5, 9)], 0
    )  # none is padded to more than twice its own
    assert batches == [(1, 5), (3, 9), (1, 2)]
    batches.clear()
    mapped(bert, SENTENCES, 0, mask=None)  # nothing is padded: only 7 and 3 come twice
    assert sorted(n for n, _ in batches) == [1] * 8 + [2] * 2


@pytest.mark.parametrize("options", [{}, {"batch_size": 2}], ids=str)
def test_prepare_gives_each_sample_its_target_and_order_is_kept(bert, options):
    targets = [0, torch.tensor([1]), None, (0, 2), "runner-up", relprop.at(1), torch.tensor(2)]
    targets += [["predicted", 1], [0, 2], "all", lambda scores: scores.amax(1), 1]
    pairs = list(zip(SENTENCES, targets, strict=True))
    got = mapped(bert, pairs, prepare=lambda pair: pair, bucket_size=8, **options)
    for one, (sample, target) in zip(got, pairs, strict=True):
        same(one, bert(sample, target))
        assert torch.equal(one.input, sample["input_ids"])


@pytest.mark.parametrize(
    "target", [relprop.at(-1, 5), lambda logits: logits[:, -1].amax(1)], ids=["at", "function"]
)
def test_the_last_position_is_that_of_each_sentence(llama, target):
    same_each(llama, SENTENCES, target, layers=["model.layers.0"])
    got = mapped(llama, SENTENCES, target)
    assert [e.output.shape for e in got] == [(1, length, 40) for length in LENGTHS]


def test_every_sentence_can_have_its_own_entry(llama):
    own = [(one, relprop.at(i % 2, i)) for i, one in enumerate(SENTENCES)]
    got = mapped(llama, own, prepare=lambda pair: pair, ledger=True)
    for e, (sample, target) in zip(got, own, strict=True):
        alone = llama(sample, target, ledger=True)
        same(replace(e, ledgers=()), replace(alone, ledgers=()))
        # Other lengths may be captured with an operation more, which changes nothing.
        same(e.ledger.absorbed, alone.ledger.absorbed)
        same((e.ledger.relevance_in, e.ledger.size), (alone.ledger.relevance_in, alone.ledger.size))
    assert got[3].targets == ("at(1, 3)",)


def test_the_predicted_position_is_no_padding():
    explainer = relprop.Explainer(randomise(Pointer().double()), "epsilon")
    got = mapped(explainer, series(True), prepare=lambda x: (x, None), mask="counts")
    for e, sample in zip(got, series(True), strict=True):
        same(e, explainer(sample))
        assert e.output.argmax() < sample[0].shape[1]


def test_pictures_of_equal_size_share_batches_without_padding(batches):
    explainer = relprop.Explainer(small_cnn())
    same_each(explainer, PICTURES, layers=["0", "3"], ledger=True)
    batches.clear()
    mapped(explainer, PICTURES)
    assert sorted(n for n, *_ in batches) == [2] * 5 + [3]


def test_a_window_of_samples_is_read_ahead_and_no_more():
    read = []

    def endless():
        for i in count():
            read.append(i)
            yield PICTURES[i % 13]

    stream = relprop.Explainer(small_cnn()).map(endless(), 1, bucket_size=2, progress=False)
    assert read == []
    first = list(islice(stream, 40))
    assert len(read) <= 40 + 2 * 16
    explainer = relprop.Explainer(small_cnn())
    for i, one in enumerate(first):
        same(one, explainer(PICTURES[i % 13], 1))


@pytest.mark.parametrize(
    ("values", "read"),
    [(True, lambda m: m), (False, lambda m: ~m), (1, lambda m: m), (1.0, lambda m: m)],
    ids=["counts", "is padding", "integer", "float"],
)
def test_a_mask_may_have_any_name_and_dtype(batches, values, read):
    explainer = relprop.Explainer(randomise(Masked(read).double()))
    samples = [(x, m.double() if isinstance(values, float) else m) for x, m in series(values)]
    pairs = [(sample, None) for sample in samples]
    got = mapped(explainer, pairs, prepare=lambda pair: pair, mask="counts", ledger=True)
    assert max(n for n, *_ in batches) == 4
    for one, sample in zip(got, samples, strict=True):
        same(one, explainer(sample, ledger=True))


def test_relevance_can_be_differentiated_by_each_sample():
    explainer = relprop.Explainer(randomise(Masked(lambda m: m).double()), "epsilon")
    pairs = [((x.requires_grad_(), m), 1) for x, m in series(True)]
    options = {"prepare": lambda pair: pair, "mask": "counts", "create_graph": True}
    got = mapped(explainer, pairs, **options)
    alone = [explainer(sample, target, create_graph=True) for sample, target in pairs]
    slopes, expected = (
        torch.autograd.grad(
            sum(e.relevance.square().sum() for e in each), [x for (x, _), _ in pairs]
        )
        for each in (got, alone)
    )
    same(slopes, expected)


def test_writing_into_a_sample_is_noticed():
    samples = [*signed(3, 2, 6, 6).split(1)]
    stream = relprop.Explainer(small_cnn()).map(samples, bucket_size=2, progress=False)
    first = next(stream)
    samples[0].zero_()
    with pytest.raises(InputError, match="memory was written into"):
        _ = first.input


def test_an_explanation_has_memory_of_its_own(llama):
    for e in mapped(llama, SENTENCES, relprop.at(-1, 0)):
        for tensor in (e.output, e.relevance):
            assert tensor.untyped_storage().nbytes() == 8 * tensor.numel()


def test_a_loader_of_single_samples_and_its_progress(capsys):
    data = torch.utils.data.TensorDataset(signed(5, 2, 6, 6), torch.arange(5))
    explainer, loader = relprop.Explainer(small_cnn()), torch.utils.data.DataLoader(data)
    got = list(explainer.map(loader, bucket_size=3))
    same(torch.cat([e.relevance for e in got]), explainer(data.tensors[0]).relevance)
    assert "explain: 5 samples" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_programs_explain_buckets():
    model = randomise(Masked(lambda m: m).double())
    compiled, explainer = relprop.Explainer(model, compile=True), relprop.Explainer(model)
    pairs = [(sample, i % 4 - 1 if i % 4 else None) for i, sample in enumerate(series(True))]
    for one, (sample, target) in zip(
        mapped(compiled, pairs, prepare=lambda pair: pair, mask="counts"), pairs, strict=True
    ):
        same(one, explainer(sample, target))
