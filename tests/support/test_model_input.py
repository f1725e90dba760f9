"""Inputs as people have them: the line that an error proposes is run, and gives the right result.

Each kind is given to `relprop.explain`, an `Explainer`, its `map` and `removal_curves`. Relevance
of a linear model under LRP-0 is the product of input and weights, which shows what was made of it.
"""

from pathlib import Path

import datasets
import numpy
import pandas
import PIL.Image
import polars
import pytest
import torch
from helpers.tokenizers import small_tokenizer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from transformers import BatchEncoding

import relprop

NAMES = {"numpy": numpy, "pandas": pandas, "relprop": relprop, "torch": torch, "PIL": PIL}
ROWS = torch.tensor([[1.0, 0.5, -2.0, 4.0], [3.0, 1.0, 0.25, -1.0]])
COLOURS = torch.tensor([[51, 102, 255], [0, 204, 153]]).byte()  # of two pictures
PICTURES = (COLOURS / 255)[:, :, None, None].expand(2, 3, 4, 4)
ONLY = {"return_token_type_ids": False}
IDS = torch.tensor([[1, 2, 3], [4, 5, 6]])


class Words(nn.Module):
    """The mean of embeddings, as a language model is called."""

    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(20, 4), nn.Linear(4, 3)

    def forward(self, input_ids, attention_mask):
        return self.head(self.embedding(input_ids).mean(1))


torch.manual_seed(0)
TABLE = nn.Linear(4, 3).eval()
COLOUR = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(8, 3)).eval()
GREY = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3)).eval()
WORDS = Words().eval()


def frame() -> pandas.DataFrame:
    return pandas.DataFrame(ROWS.numpy(), columns=list("abcd"))


def colours() -> list[PIL.Image.Image]:
    return [PIL.Image.new("RGB", (4, 4), tuple(rgb)) for rgb in COLOURS.tolist()]


def tokens() -> dict[str, list[list[int]]]:
    return {"input_ids": IDS.tolist(), "attention_mask": [[1, 1, 1], [1, 1, 1]]}


def data_set() -> datasets.Dataset:
    return datasets.Dataset.from_dict({**tokens(), "label": [0, 1]})


def as_words(ids: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


KINDS = {
    "numpy": (TABLE, lambda: ROWS.double().numpy(), ROWS),
    "numpy of bytes": (COLOUR, lambda: (PICTURES * 255).round().byte().numpy(), PICTURES),
    "pandas": (TABLE, lambda: frame(), ROWS),
    "pandas, a row": (TABLE, lambda: frame().iloc[1], ROWS[1:]),
    "pandas, of mixed kinds": (
        TABLE,
        lambda: pandas.DataFrame({"a": [1, 2], "b": [0.5, 3], "c": ["u", "v"]}),
        torch.tensor([[1, 0.5, 1, 0], [2, 3, 0, 1]]),
    ),
    "polars": (TABLE, lambda: polars.DataFrame(frame().to_dict("list")), ROWS),
    "polars, lazy": (TABLE, lambda: polars.DataFrame(frame().to_dict("list")).lazy(), ROWS),
    "polars, of mixed kinds": (
        TABLE,
        lambda: polars.DataFrame({"a": [1, 2], "b": [0.5, 3], "c": ["u", "v"]}),
        torch.tensor([[1, 0.5, 1, 0], [2, 3, 0, 1]]),
    ),
    "polars, a series": (TABLE, lambda: polars.Series(ROWS[1].tolist()), ROWS[1:]),
    "a row as a dict": (TABLE, lambda: frame().iloc[1].to_dict(), ROWS[1:]),
    "PIL": (COLOUR, lambda: colours()[1], PICTURES[1:]),
    "PIL, several": (COLOUR, colours, PICTURES),
    "PIL, colours for a grey model": (GREY, lambda: PIL.Image.new("RGB", (4, 4), "white"), 1.0),
    "a tokenizer's lists": (WORDS, lambda: BatchEncoding(tokens()), as_words(IDS)),
    "a tokenizer's list": (
        WORDS,
        lambda: BatchEncoding({name: rows[1] for name, rows in tokens().items()}),
        as_words(IDS[1:]),
    ),
    "a row of a data set": (WORDS, lambda: data_set()[1], as_words(IDS[1:])),
    "rows of a data set": (WORDS, lambda: data_set()[:], as_words(IDS)),
    "rows of a data set of arrays": (
        WORDS,
        lambda: data_set().with_format("numpy")[:],
        as_words(IDS),
    ),
}


def made(error: relprop.RelpropError, x, **names):
    """Run the line that an error proposes."""
    assert error.todo.startswith("write "), error.todo
    return eval(error.todo.removeprefix("write "), {**NAMES, **names, "x": x})


def explained(model, x) -> torch.Tensor:
    return relprop.explain(model, x, "zero", 1).relevance


@pytest.mark.parametrize("kind", KINDS)
def test_explain_names_the_line_that_works(kind):
    model, make, want = KINDS[kind]
    want = torch.full((1, 1, 4, 4), want) if isinstance(want, float) else want
    x = make()
    with pytest.raises(relprop.RelpropError) as error:
        relprop.Explainer(model, "zero")(x, 1)
    got, want = explained(model, made(error.value, x)), explained(model, want)
    torch.testing.assert_close(got, want)
    assert want.abs().sum() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_map_takes_the_line_as_prepare(kind):
    model, make, want = KINDS[kind]
    want = torch.full((1, 1, 4, 4), want) if isinstance(want, float) else want
    explainer, x = relprop.Explainer(model, "zero"), make()
    with pytest.raises(relprop.RelpropError) as error:
        next(explainer.map([(x, 0)], 1, progress=False))
    batches = explainer.map(
        [(x, 0)], prepare=lambda batch: (made(error.value, batch[0]), 1), progress=False
    )
    torch.testing.assert_close(next(batches).relevance, explained(model, want))


@pytest.mark.parametrize("kind", KINDS)
def test_removal_curves_name_the_line_that_works(kind):
    model, make, want = KINDS[kind]
    want = torch.full((1, 1, 4, 4), want) if isinstance(want, float) else want
    x, methods = make(), {"lrp": explained(model, want)}
    options = {"steps": [1, 2], "fill": 0} if isinstance(want, dict) else {"steps": 2}

    with pytest.raises(relprop.RelpropError) as error:
        relprop.evaluate.removal_curves(model, x, methods, **options)
    curves = [
        relprop.evaluate.removal_curves(model, one, methods, **options)["lrp"].morf.scores
        for one in (made(error.value, x), want)
    ]
    torch.testing.assert_close(*curves)


# ---- paths ---------------------------------------------------------------------------------------


def test_paths_are_read(tmp_path):
    for i, picture in enumerate(colours()):
        picture.save(tmp_path / f"{i}.png")
    frame().to_csv(tmp_path / "table.csv", index=False)
    numpy.save(tmp_path / "table.npy", ROWS.double().numpy())
    files = sorted(tmp_path.glob("*.png"))
    cases = [
        (COLOUR, files[1], PICTURES[1:]),
        (COLOUR, str(files[1]), PICTURES[1:]),
        (COLOUR, files, PICTURES),
        (COLOUR, [str(file) for file in files], PICTURES),
        (COLOUR, tmp_path, PICTURES),
        (TABLE, tmp_path / "table.csv", ROWS),
        (TABLE, str(tmp_path / "table.npy"), ROWS),
    ]
    for model, x, want in cases:
        with pytest.raises(relprop.RelpropError) as error:
            relprop.explain(model, x)
        torch.testing.assert_close(explained(model, made(error.value, x)), explained(model, want))


def test_no_line_is_made_up_for_another_file():
    with pytest.raises(relprop.RelpropError) as error:
        relprop.explain(TABLE, Path("weights.bin"))
    assert error.value.todo == "give the tensor that the model is called with"


# ---- what holds batches, or samples --------------------------------------------------------------


def test_a_tokenizers_tensors_are_taken_as_they_are():
    encoding = small_tokenizer()(["a film", "film a"], return_tensors="pt", **ONLY)
    got = relprop.explain(WORDS, encoding, "zero", 1)
    ids = encoding["input_ids"]
    torch.testing.assert_close(got.relevance, explained(WORDS, as_words(ids)))
    (mapped,) = relprop.Explainer(WORDS, "zero").map([encoding], 1, progress=False)
    torch.testing.assert_close(mapped.relevance, got.relevance)


@pytest.mark.parametrize("pairs", [True, False])
def test_a_loader_is_mapped_over_and_its_batches_are_joined(pairs):
    rows = TensorDataset(ROWS, torch.arange(2)) if pairs else ROWS
    x, explainer = DataLoader(rows, batch_size=1), relprop.Explainer(TABLE, "zero")
    with pytest.raises(relprop.RelpropError) as error:
        explainer(x, 1)
    assert error.value.todo == "write explainer.map(x)"
    got = [e.relevance for e in explainer.map(x, 1, progress=False)]
    torch.testing.assert_close(torch.cat(got), explained(TABLE, ROWS))
    with pytest.raises(relprop.RelpropError) as error:
        relprop.evaluate.removal_curves(TABLE, x, {"lrp": ROWS}, steps=2)
    torch.testing.assert_close(made(error.value, x), ROWS)


@pytest.mark.parametrize("kept", [None, "torch"])
def test_a_data_set_is_read_in_batches(kept):
    x, explainer = data_set().with_format(kept), relprop.Explainer(WORDS, "zero")
    with pytest.raises(relprop.RelpropError) as error:
        explainer(x)
    want = explained(WORDS, as_words(IDS))
    (got,) = made(error.value, x, explainer=explainer)
    assert got.relevance.shape == want.shape
    with pytest.raises(relprop.RelpropError, match="which gives samples") as error:
        explainer.map(x)
    (got,) = explainer.map(made(error.value, x), 1, progress=False)
    torch.testing.assert_close(got.relevance, want)
    with pytest.raises(relprop.RelpropError) as error:
        relprop.evaluate.removal_curves(WORDS, x, {"lrp": want}, steps=[1])
    found = made(error.value, x)
    assert found.keys() == {"input_ids", "attention_mask"}
    assert torch.equal(found["input_ids"], IDS)


def test_a_torch_data_set_is_read_in_batches():
    x, explainer = TensorDataset(ROWS, torch.arange(2)), relprop.Explainer(TABLE, "zero")
    with pytest.raises(relprop.RelpropError, match="which gives samples") as error:
        explainer.map(x)
    (got,) = explainer.map(made(error.value, x), 1, progress=False)
    torch.testing.assert_close(got.relevance, explained(TABLE, ROWS))


def test_tensors_of_a_data_set_lose_the_label_and_gain_a_batch():
    row = data_set().with_format("torch")[1]
    with pytest.raises(
        relprop.RelpropError, match='"label" among the inputs, which Words'
    ) as error:
        relprop.explain(WORDS, row)
    x = made(error.value, row)
    with pytest.raises(relprop.RelpropError, match="batch dimension") as error:
        relprop.explain(WORDS, x)
    line = error.value.todo.removeprefix("add the batch dimension: ")
    torch.testing.assert_close(
        explained(WORDS, eval(line, {"x": x})), explained(WORDS, as_words(IDS[1:]))
    )


def test_sequences_of_several_lengths_go_to_the_tokenizer():
    x = {"input_ids": [[1, 2], [3]], "attention_mask": [[1, 1], [1]]}
    with pytest.raises(relprop.RelpropError) as error:
        relprop.explain(WORDS, x)
    padded = made(error.value, x, tokenizer=small_tokenizer())
    assert padded["attention_mask"].tolist() == [[1, 1], [1, 0]]
    assert explained(WORDS, padded).shape == (2, 2)
