"""Samples that are padded, or share a batch: what would change their explanation is refused."""

from types import SimpleNamespace

import pytest
import torch
from helpers.many_shapes import (
    LENGTHS,
    PICTURES,
    SENTENCES,
    Masked,
    Pointer,
    mapped,
    same_each,
    series,
    small_cnn,
)
from helpers.networks import randomise, signed
from torch import nn

import relprop
from relprop.errors import InputError, NumberError


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


@pytest.mark.parametrize("compile", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_classes_that_grow_with_the_length_are_refused_where_their_number_counts(compile):
    explainer = relprop.Explainer(randomise(Pointer().double()), "epsilon", compile=compile)
    target, words = (None, "compile=True") if compile else ("all", 'target="all"')
    with pytest.raises(InputError, match=f"{words} (.|\n)*mask=None"):
        mapped(explainer, series(True), prepare=lambda x: (x, target), mask="counts")


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
