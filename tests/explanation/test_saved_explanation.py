"""Explanations saved and loaded: all fields come back; damaged files are the package's errors."""

import dataclasses
import io
import json
import pickle
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from helpers.networks import pixels, randomise, signed, small_cnn
from torch import Tensor, nn

import relprop
from relprop.errors import FileError, InputError
from relprop.explanation.result import Explanation


def same(a, b) -> bool:
    """Compare two values of an explanation, tensors with their dtypes, mappings in order."""
    if isinstance(a, Tensor):
        return a.dtype is b.dtype and a.cpu().equal(b)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, Mapping):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if dataclasses.is_dataclass(a):
        return type(a) is type(b) and same(fields_of(a), fields_of(b))
    return a == b


def fields_of(record) -> dict:
    return {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}


def through_file(e: Explanation, folder) -> Explanation:
    e.save(folder / "e.npz")
    return Explanation.load(str(folder / "e.npz"))


class TwoInputs(nn.Module):
    """Takes a picture and a vector, in this order; one of its modules returns a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(3, 4, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, picture, vector):
        states, (last, _) = self.rnn(picture)
        return self.head(torch.cat([states[:, 0] + last[0], vector], 1))


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(7, 4), nn.Linear(4, 3)

    def forward(self, ids):
        return self.head(self.embed(ids).mean(1))


def linear() -> nn.Module:
    return randomise(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)))


def two_inputs(**options) -> Explanation:
    x = {"picture": signed(2, 5, 3).float(), "vector": signed(2, 2).float()}
    return relprop.Explainer(randomise(TwoInputs()))(x, explain=["picture", "vector"], **options)


CASES = {
    "plain": lambda: relprop.explain(linear(), signed(2, 4).float()),
    "float64 with a ledger": lambda: relprop.Explainer(linear().double())(
        signed(2, 4), 1, ledger=True
    ),
    "several targets, each with a ledger": lambda: relprop.Explainer(linear())(
        signed(2, 4).float(), "all", ledger=True
    ),
    "a contrast": lambda: relprop.explain(linear(), signed(2, 4).float(), target=(0, 2)),
    "several inputs, layers, a module with several outputs": lambda: two_inputs(
        layers=["rnn", "head"], ledger=True
    ),
    "token ids": lambda: relprop.explain(randomise(Words()), torch.tensor([[1, 2, 3], [3, 0, 6]])),
    "bfloat16": lambda: relprop.explain(linear().bfloat16(), signed(2, 4).bfloat16(), "zero"),
    "float16 pictures": lambda: relprop.Explainer(randomise(small_cnn()).half(), "zero")(
        pixels(2, 2, 12, 12).half(), layers=["0"]
    ),
    "no classes": lambda: relprop.explain(
        nn.Conv2d(1, 2, 3).eval(), torch.ones(2, 1, 4, 4), target=relprop.at(1, 0, 0)
    ),
    "differentiable": lambda: relprop.Explainer(linear())(signed(2, 4).float(), create_graph=True),
}


@pytest.mark.parametrize("name", CASES)
def test_every_field_of_a_loaded_explanation_is_the_saved_one(name, tmp_path):
    e = CASES[name]()
    loaded = through_file(e, tmp_path)
    for field in dataclasses.fields(Explanation):
        assert same(getattr(e, field.name), getattr(loaded, field.name)), field.name
    for derived in ("input", "relevance", "prediction", "probabilities", "margin"):
        assert same(getattr(e, derived), getattr(loaded, derived)), derived
    assert repr(loaded) == repr(e)
    if e.ledgers:
        assert str(loaded.ledger) == str(e.ledger)
    again = through_file(loaded, tmp_path)
    assert same(loaded, again)


def test_a_loaded_explanation_has_no_ledger_that_was_not_asked_for(tmp_path):
    loaded = through_file(CASES["plain"](), tmp_path)
    with pytest.raises(InputError, match="made without"):
        _ = loaded.ledger
    loaded.input.zero_()
    with pytest.raises(InputError, match="written into"):
        _ = loaded.input


def test_numpy_reads_every_tensor_by_the_name_of_what_it_is(tmp_path):
    e = two_inputs(layers=["rnn"])
    e.save(tmp_path / "e.npz")
    with np.load(tmp_path / "e.npz") as file:
        arrays = dict(file)
    expected = {
        **{"input": e.input, "inputs/vector": e.inputs["vector"], "output": e.output},
        **{"relevance": e.relevance, "relevances/vector": e.relevances["vector"]},
        **{"prediction": e.prediction, "probabilities": e.probabilities, "margin": e.margin},
        **{f"layers/rnn/{i}": part for i, part in enumerate(e.layers["rnn"])},
        **{"target": e.target, "amplification": e.amplification, "score_size": e.score_size},
    }
    assert arrays.keys() == {*expected, "relprop"}
    for name, tensor in expected.items():
        np.testing.assert_array_equal(arrays[name], tensor.numpy())


# ---- names and contents that cannot be saved -----------------------------------------------------


@pytest.mark.parametrize("name", ["out.png", "out.csv", "out.pt", "out.npy"])
def test_a_name_of_another_format_is_refused_with_the_line_to_write(name, tmp_path):
    e = CASES["plain"]()
    with pytest.raises(InputError, match="that of another format") as error:
        e.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    line = error.value.todo.removeprefix("write ")
    exec(line.replace("explanation", "e"), {"e": e})
    assert [path.name for path in tmp_path.iterdir()] == ["out.npz"]
    assert same(Explanation.load(tmp_path / "out.npz"), e)


def test_a_name_without_a_suffix_is_kept(tmp_path):
    e = CASES["plain"]()
    for name in ("out", "epsilon-0.5"):
        e.save(tmp_path / name)
        assert same(Explanation.load(tmp_path / name), e)


def test_tensors_of_one_name_are_refused(tmp_path):
    e = two_inputs(layers=["rnn"])
    e = dataclasses.replace(e, layers={**e.layers, "rnn/0": e.output})
    with pytest.raises(InputError, match='both be named "layers/rnn/0"'):
        e.save(tmp_path / "e.npz")


def test_a_value_without_a_form_is_refused(tmp_path):
    e = dataclasses.replace(CASES["plain"](), layers={"a": {1, 2}})
    with pytest.raises(InputError, match="layers/a with a value of type set"):
        e.save(tmp_path / "e.npz")


# ---- files that are none -------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    CASES["float64 with a ledger"]().save(tmp_path / "e.npz")
    return tmp_path / "e.npz"


def rewrite(path, change) -> None:
    """Change the document and the arrays of a file."""
    with np.load(path) as file:
        arrays = dict(file)
    document = json.loads(arrays["relprop"].tobytes())
    changed = change(document, arrays)
    text = changed if isinstance(changed, bytes) else json.dumps(document).encode()
    if changed != "no document":
        arrays["relprop"] = np.frombuffer(text, np.uint8)
    np.savez(path, **arrays)


def set_field(name, value):
    return lambda document, arrays: document["fields"].update({name: value})


def set_array(name, value):
    return lambda document, arrays: arrays.update({name: value})


def of_ledger(document):
    return document["fields"]["ledgers"]["tuple"][0]["ledger"]


CHANGES = {
    "another format": (lambda d, a: d.update(format=2), "its format is 2"),
    "no JSON": (lambda d, a: b"{", "JSONDecodeError"),
    "no text": (lambda d, a: b"\xff\xfe", "Error"),
    "deep JSON": (lambda d, a: b"[" * 100_000, "RecursionError"),
    "deep fields": (
        lambda d, a: json.dumps(d).replace('"several": false', '"several": ' + deep(600)).encode(),
        "Error",
    ),
    "a list": (lambda d, a: b"[]", "TypeError"),
    "no fields": (lambda d, a: bool(d.pop("fields")), "KeyError"),
    "a missing field": (lambda d, a: d["fields"].pop("output"), "TypeError"),
    "an unknown field": (set_field("later", 1), "TypeError"),
    "an unknown record": (set_field("target", {"code": {}}), "KeyError"),
    "an array that is missing": (set_field("output", {"tensor": "o", "dtype": "float32"}), "Key"),
    "no dtype": (set_field("output", {"tensor": "output", "dtype": "load"}), "is no dtype"),
    "a number of 401 digits": (set_field("output", 10**400), "AttributeError"),
    "text as output": (set_field("output", "text"), "AttributeError"),
    "several of another type": (set_field("several", "no"), "a field of type str"),
    "no inputs": (set_field("inputs", {"mapping": {}}), r"inputs \[\]"),
    "relevance of another input": (
        lambda d, a: d["fields"]["relevances"].update(
            mapping={"other": d["fields"]["relevances"]["mapping"]["input"]}
        ),
        r"relevance of \['other'\]",
    ),
    "another batch": (set_array("output", np.zeros((3, 3))), r"tensors of shapes \[\(3, 3\)"),
    "another shape": (set_array("relevance", np.zeros((2, 9))), r"relevance of \(2, 9\)"),
    "a ledger without entries": (lambda d, a: of_ledger(d).pop("entries"), "TypeError"),
    "text as a ledger": (set_field("ledgers", {"tuple": ["text"]}), "a field of type str"),
    "scores of another batch": (set_array("score_size", np.ones(3)), r"score_size of \(3,\)"),
    "scores of several targets": (set_array("score_size", np.ones((2, 1))), "score_size of"),
    "scores that are integers": (
        set_field("score_size", {"tensor": "score_size", "dtype": "int64"}),
        r"score_size of \(2,\) and torch.int64",
    ),
    "a text as score_size": (set_field("score_size", "text"), "AttributeError"),
    "a list of names": (set_field("targets", ["class 1"]), "targets = "),
    "names that are numbers": (set_field("targets", {"tuple": [1]}), r"targets = \(1,\)"),
    "a name too many": (
        set_field("targets", {"tuple": ["a", "b"]}),
        "targets: 1, but names: 2, ledgers: 1",
    ),
    "a ledger too many": (
        lambda d, a: d["fields"]["ledgers"]["tuple"].extend(d["fields"]["ledgers"]["tuple"]),
        "targets: 1, but names: 1, ledgers: 2",
    ),
    "logits of another shape": (
        set_field("logits", {"tensor": "score_size", "dtype": "float64"}),
        r"logits of \(2,\)",
    ),
    "text in an array": (set_array("output", np.array(["text"])), "TypeError"),
}


def test_a_file_without_names_of_targets_is_read(saved):
    rewrite(saved, lambda d, a: bool(d["fields"].pop("targets")) and None)
    assert Explanation.load(saved).targets == ()


def deep(levels: int) -> str:
    return '{"tuple": [' * levels + "]}" * levels


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_file_is_an_error_that_says_what_is_wrong(name, saved):
    change, words = CHANGES[name]
    rewrite(saved, change)
    with pytest.raises(FileError, match=words) as error:
        Explanation.load(saved)
    assert str(saved) in error.value.given


def flip_a_byte(content: bytes) -> bytes:
    """Change a byte of the output's numbers."""
    at = content.index(b"output.npy") + 150
    return content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]


def damaged(content: bytes) -> dict[str, bytes]:
    pickled, member = io.BytesIO(), io.BytesIO()
    np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
    np.save(member, np.zeros(3))
    return {
        "empty": b"",
        "text": b"text",
        "a pickle": pickle.dumps({"relprop": 1}),
        "one array": member.getvalue(),
        "an array of objects": pickled.getvalue(),
        "cut short": content[:-30],
        "a flipped byte": flip_a_byte(content),
    }


@pytest.mark.parametrize("name", damaged(b"output.npy" + bytes(200)))
def test_a_damaged_file_is_an_error_of_the_package(name, saved):
    saved.write_bytes(damaged(saved.read_bytes())[name])
    with pytest.raises(FileError, match="no file of an explanation"):
        Explanation.load(saved)


def test_a_file_of_an_older_version_is_an_error_that_names_numpy(saved):
    with np.load(saved) as file:
        arrays = {name: file[name] for name in file if name != "relprop"}
    np.savez(saved, **arrays)
    with pytest.raises(FileError, match='it has no "relprop"') as error:
        Explanation.load(saved)
    assert "numpy.load" in error.value.todo


def test_paths_that_are_no_files(tmp_path):
    missing = tmp_path / "none", tmp_path / ("n" * 300)
    for path, words in (*((m, "no such file") for m in missing), (tmp_path, "a folder")):
        with pytest.raises(FileError, match=words):
            Explanation.load(path)
    with pytest.raises(InputError, match="a path of type int"):
        Explanation.load(3)
