"""Explainer.map over samples of many shapes: each is explained as if it were alone."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import count, islice
from types import SimpleNamespace

import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForCausalLM

import relprop
from relprop.errors import InputError, NumberError

LENGTHS = (7, 3, 12, 7, 5, 4, 9, 3, 11, 6, 2, 8)
SIZES = {
    **{"vocab_size": 40, "hidden_size": 16, "intermediate_size": 32},
    **{"num_hidden_layers": 2, "num_attention_heads": 2},
}


def sentence(length: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Token ids and mask, (1, length), as a tokenizer returns them."""
    generator = torch.Generator().manual_seed(100 * seed + length)
    ids = torch.randint(1, 40, (1, length), generator=generator)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


SENTENCES = [sentence(length, seed) for seed, length in enumerate(LENGTHS)]


@pytest.fixture(scope="module")
def bert() -> relprop.Explainer:
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(**SIZES, num_labels=3)).double()
    return relprop.Explainer(randomise(model))


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


def mapped(explainer, samples, target=None, **options):
    options = {"bucket_size": 4, **options}
    return list(explainer.map(samples, target, progress=False, **options))


def same(got, want, name="explanation") -> None:
    """Compare explanations, ledgers, mappings, tuples and tensors, shapes included."""
    if isinstance(want, torch.Tensor):
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9, msg=lambda m: f"{name}: {m}")
    elif isinstance(want, Mapping):
        assert list(got) == list(want)
        for key in want:
            same(got[key], want[key], f"{name}/{key}")
    elif isinstance(want, tuple):
        for i, (one, other) in enumerate(zip(got, want, strict=True)):
            same(one, other, f"{name}/{i}")
    elif hasattr(want, "__dataclass_fields__"):
        assert type(got) is type(want)
        for field in want.__dataclass_fields__:
            same(getattr(got, field), getattr(want, field), f"{name}/{field}")
    else:
        assert got == want, name


def same_each(explainer, samples, target=None, **options) -> None:
    got = mapped(explainer, samples, target, **options)
    options = {k: v for k, v in options.items() if k not in ("bucket_size", "mask")}
    for one, sample in zip(got, samples, strict=True):
        same(one, explainer(sample, target, **options))


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


class Pointer(nn.Module):
    """Scores each step, below 0; steps that do not count have 0."""

    def __init__(self):
        super().__init__()
        self.steps, self.head = nn.Linear(4, 6), nn.Linear(6, 1)

    def forward(self, x, counts):
        return -self.head(self.steps(x).relu()).squeeze(-1).square() * counts.to(x.dtype)


def test_the_predicted_position_is_no_padding():
    explainer = relprop.Explainer(randomise(Pointer().double()), "epsilon")
    got = mapped(explainer, series(True), prepare=lambda x: (x, None), mask="counts")
    for e, sample in zip(got, series(True), strict=True):
        same(e, explainer(sample))
        assert e.output.argmax() < sample[0].shape[1]


@pytest.mark.parametrize("compile", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_classes_that_grow_with_the_length_are_refused_where_their_number_counts(compile):
    explainer = relprop.Explainer(randomise(Pointer().double()), "epsilon", compile=compile)
    target, words = (None, "compile=True") if compile else ("all", 'target="all"')
    with pytest.raises(InputError, match=f"{words} (.|\n)*mask=None"):
        mapped(explainer, series(True), prepare=lambda x: (x, target), mask="counts")


def small_cnn() -> nn.Module:
    layers = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
    return randomise(nn.Sequential(*layers, nn.Flatten(), nn.Linear(4, 3)).double())


PICTURES = [signed(1, 2, 6 + i % 3, 9 - i % 2, seed=i) for i in range(13)]


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


class Masked(nn.Module):
    """Embeds steps, one by one, and averages those that count; reads its mask as told."""

    def __init__(self, read):
        super().__init__()
        self.steps, self.head, self.read = nn.Linear(4, 6), nn.Linear(6, 3), read

    def forward(self, x, counts):
        kept = self.read(counts).to(x.dtype).unsqueeze(-1)
        h = (self.steps(x).relu() * kept).sum(1) / kept.sum(1)
        return self.head(h)


def series(values):
    """Steps with a mask of these values, given by position, (1, length, 4) and (1, length)."""
    return [
        (signed(1, length, 4, seed=length), torch.full((1, length), values)) for length in LENGTHS
    ]


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


class MaskedByToken(nn.Module):
    """Counts tokens that are not that of padding, whatever the mask says."""

    def __init__(self, token):
        super().__init__()
        self.config = SimpleNamespace(pad_token_id=token)
        self.tokens, self.head = nn.Embedding(40, 6), nn.Linear(6, 3)

    def forward(self, input_ids, attention_mask):
        counts = (input_ids != 39).unsqueeze(-1) + 0 * attention_mask.unsqueeze(-1)
        return self.head((self.tokens(input_ids) * counts).sum(1))


def test_padding_holds_the_token_that_the_configuration_names():
    samples = [{**one, "input_ids": one["input_ids"] % 39} for one in SENTENCES]
    same_each(relprop.Explainer(randomise(MaskedByToken(39).double()), "epsilon"), samples)
    other = relprop.Explainer(randomise(MaskedByToken(None).double()), "epsilon")
    with pytest.raises(InputError, match="relevance at positions that pad samples"):
        mapped(other, samples)


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


def of_series(model, mask="counts", recipe="epsilon", values=True, **options):
    pairs = [(sample, 1) for sample in series(values)]
    explainer = relprop.Explainer(randomise(model.double()), recipe)
    return mapped(explainer, pairs, prepare=lambda pair: pair, mask=mask, **options)


class Reads(nn.Module):
    """Embeds steps, masks them, and reads them as told."""

    def __init__(self, read):
        super().__init__()
        self.steps, self.head, self.read = nn.Linear(4, 6), nn.Linear(6, 3), read

    def forward(self, x, counts):
        return self.head(self.read(self.steps(x).relu() * counts.to(x.dtype).unsqueeze(-1)))


def from_the_end(h):
    return (h * torch.arange(h.shape[1]).flip(0).unsqueeze(-1)).sum(1)


@pytest.mark.parametrize(
    "read",
    [lambda h: h.mean(1), lambda h: h[:, -1], from_the_end],
    ids=["mean over all", "last step", "positions from the end"],
)
@pytest.mark.filterwarnings("ignore::relprop.errors.VanishingWarning")
def test_a_model_that_padding_changes_is_refused(read):
    match = r"sample 4, padded from 5 to 7, in a batch of 4 of Reads: its (.|\n)*mask=None"
    with pytest.raises(InputError, match=match) as error:
        of_series(Reads(read))
    assert "its output is another one than alone" in error.value.given
    assert len(of_series(Reads(read), mask=None)) == len(LENGTHS)
    assert len(of_series(Reads(lambda h: h.sum(1)))) == len(LENGTHS)


class Smoothed(nn.Module):
    """Convolves steps without a bias, and sums those that count."""

    def __init__(self):
        super().__init__()
        self.steps, self.head = nn.Conv1d(4, 6, 3, padding=1, bias=False), nn.Linear(6, 3)

    def forward(self, x, counts):
        h = self.steps(x.transpose(1, 2)).relu() * counts.to(x.dtype).unsqueeze(1)
        return self.head(h.sum(2))


def test_relevance_at_padding_is_refused():
    """Padding is 0, as a convolution adds it by itself; the flat rule gives it relevance."""
    flat = relprop.Recipe.preset("epsilon").using("steps", "flat")
    assert len(of_series(Smoothed())) == len(LENGTHS)
    with pytest.raises(InputError, match=r"relevance at positions that pad samples \[4, 9, 0, 3\]"):
        of_series(Smoothed(), recipe=flat)
    assert len(of_series(Smoothed(), recipe=flat, mask=None)) == len(LENGTHS)


class Halved(nn.Module):
    """Averages neighbours two by two, and then those that count."""

    def __init__(self):
        super().__init__()
        self.steps, self.pairs, self.head = nn.Linear(4, 6), Pairs(), nn.Linear(6, 3)

    def forward(self, x, counts):
        kept = counts.to(x.dtype).unsqueeze(-1)
        return self.head(self.pairs(self.steps(x) * kept).sum(1))


class Pairs(nn.Module):
    def forward(self, h):
        return nn.functional.avg_pool1d(h.transpose(1, 2), 2, padding=1).transpose(1, 2)


def test_layers_whose_size_does_not_grow_with_the_length_are_refused():
    with pytest.raises(
        InputError, match=r"\(1, 3, 6\) of a sample alone, and \(4, 4, 6\)(.|\n)*mask=None"
    ):
        of_series(Halved(), layers=["pairs"])


def test_a_size_that_only_seemed_fixed_is_refused():
    """A layer of pairs has the same size at lengths 6 and 7, of the first batch, and not at 8."""
    explainer = relprop.Explainer(randomise(Halved().double()), "epsilon")
    samples = [(x, m) for x, m in series(True) if 6 <= x.shape[1] <= 8]
    options = {"prepare": lambda x: (x, 1), "mask": "counts", "layers": ["pairs"]}
    with pytest.raises(InputError, match=r"sizes \(5, 6\) at length 8, where \(4, 6\)"):
        mapped(explainer, sorted(samples, key=lambda x: x[0].shape[1]), bucket_size=2, **options)


class Turned(nn.Module):
    """Has samples in the last dimension between two layers."""

    def __init__(self):
        super().__init__()
        self.first, self.turn, self.last = nn.Linear(6, 4), Transposed(), nn.Linear(4, 3)

    def forward(self, x):
        return self.last(self.turn(self.first(x)).t())


class Transposed(nn.Module):
    def forward(self, h):
        return h.t()


def test_layers_that_do_not_begin_with_samples_are_refused():
    explainer = relprop.Explainer(randomise(Turned().double()), "zero")
    samples = signed(8, 6).split(1)
    with pytest.raises(InputError, match=r"\(4, 1\) of a sample alone, and \(4, 4\) in a batch"):
        mapped(explainer, samples, layers=["turn"])
    assert len(mapped(explainer, samples)) == 8


def test_an_error_of_one_sample_names_it(bert):
    model = nn.Sequential(nn.Linear(4, 3, bias=False)).double().eval()
    samples = [*torch.ones(10, 4, dtype=torch.float64).split(1)]
    explainer = relprop.Explainer(model)
    samples[7] = samples[7] * 0
    with pytest.raises(InputError, match='initial="one" for sample 7'):
        mapped(explainer, samples, target=1, initial="one")
    samples[7] = samples[7] + torch.nan
    with pytest.raises(InputError, match="sample 7: an input with NaN"):
        mapped(explainer, samples)
    pairs = [(one, 5 if i == 6 else 0) for i, one in enumerate(SENTENCES)]
    with pytest.raises(InputError, match=r"sample 6: (.|\n)*class 5 of a model with 3 classes"):
        mapped(bert, pairs, prepare=lambda pair: pair)
    with torch.no_grad():
        model[0].weight.mul_(1e300)
    samples[7] = torch.full((1, 4), 1e300, dtype=torch.float64)
    with pytest.raises(NumberError, match="sample 7"):
        mapped(explainer, samples)


def test_what_is_no_single_sample_is_refused():
    explainer = relprop.Explainer(small_cnn())
    for samples, words in (
        ([signed(2, 6, 6)], r"(2, 6, 6)"),
        ([signed(3, 2, 6, 6)], r"(3, 2, 6, 6)"),
        ([{"input": signed(2, 6, 6)}], r"({k: v[None] for k, v in x.items()} for x in samples)"),
    ):
        with pytest.raises(InputError) as error:
            mapped(explainer, samples)
        assert words in str(error.value)
        assert "[None]" in error.value.todo
    shared = relprop.Explainer(randomise(Masked(lambda m: m).double()))
    with pytest.raises(InputError, match='sample 0: the argument "counts"'):
        mapped(shared, [((signed(1, 3, 4), torch.ones(3).double()), 0)], prepare=lambda pair: pair)


def test_wrong_options_are_refused_before_a_sample_is_read():
    def unread():
        raise AssertionError
        yield

    explainer = relprop.Explainer(small_cnn())
    for options, words in (
        ({"bucket_size": 0}, "bucket_size is 0"),
        ({"bucket_size": True}, "bucket_size is True"),
        ({"mask": 3}, "mask of type int"),
        ({"mask": "counts", "bucket_size": None}, "mask='counts' without bucket_size"),
        ({"prepare": len, "target": 0}, "beside prepare"),
    ):
        with pytest.raises(InputError, match=words):
            explainer.map(unread(), **{"bucket_size": 4, "progress": False, **options})
    with pytest.raises(
        InputError, match=r"bucket_size= in a call(.|\n)*map\(batches, bucket_size=8"
    ):
        explainer(PICTURES[0], bucket_size=8)
    with pytest.raises(InputError, match="batch_size=1"):
        explainer.map(torch.utils.data.TensorDataset(signed(3, 2, 6, 6)), bucket_size=2)


@pytest.mark.parametrize(
    ("mask", "words"),
    [("missing", 'without the mask "missing"'), ("x", r'the mask "x" of shape \(1, 7, 4\)')],
)
def test_a_mask_that_is_none_is_refused(mask, words):
    with pytest.raises(InputError, match=f"sample 0: .*{words}"):
        of_series(Masked(lambda m: m), mask=mask)


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
