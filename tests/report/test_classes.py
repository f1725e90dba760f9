"""Names of classes, and which labels are judged, through `relprop explain`."""

import json

import pytest
from helpers.explain_command import (
    ONE_HOT,
    command,
    explained_table,
    make_home,
    rows_of,
)
from helpers.tokenizers import small_tokenizer

from relprop.report.output import NUMBERS, PAGE


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("home"))


def test_labels_that_are_numbers_are_in_the_order_of_numbers(tmp_path):
    rows = [",".join([f"x{i}" for i in range(11)] + ["y"])]
    rows += [",".join(["1" if i == k else "0" for i in range(11)] + [str(k)]) for k in range(11)]
    result, numbers = explained_table(tmp_path, rows, "--model", f"{tmp_path}/net.py:Eleven")
    assert result.exit_code == 0, result.output
    assert numbers["accuracy"] == 1
    assert [row["predicted"] for row in numbers["samples"]] == [str(k) for k in range(11)]


def test_missing_labels_are_no_class(tmp_path):
    rows = ["a,b,c,y", *[f"{ONE_HOT[k]},{k}" for k in ("dog", "cat", "cow")], f"{ONE_HOT['cow']},"]
    result, numbers = explained_table(tmp_path, rows, "--model", f"{tmp_path}/net.py:Three")
    assert result.exit_code == 0, result.output
    assert numbers["accuracy"] == 1
    assert [row["label"] for row in numbers["samples"]] == ["dog", "cat", "cow", None]
    page = (tmp_path / "out" / PAGE).read_text()
    assert "100.0% of 3 labelled ones" in page
    assert "cat, cow, dog (the labels of the data in their order; --classes overrides it)" in page
    assert "Classes: 0 = cat, 1 = cow, 2 = dog (the labels" in result.stderr


def test_labels_that_are_no_class_are_not_judged(tmp_path):
    """Two of three classes: names cannot be told, and a word is no number."""
    rows = ["a,b,c,y", *[f"{ONE_HOT[k]},{k}" for k in ("dog", "cat", "cat")]]
    result, numbers = explained_table(tmp_path, rows, "--model", f"{tmp_path}/net.py:Three")
    assert result.exit_code == 0, result.output
    assert numbers["accuracy"] is None
    (warning,) = numbers["warnings"]
    assert warning.startswith("labels that are no class of the model")
    assert "cat, dog; its classes: 0, 1, 2; write --classes names.txt" in warning
    assert "classified correctly" not in (tmp_path / "out" / PAGE).read_text()


def test_the_names_of_a_folder_without_names_are_those_of_the_data(home, tmp_path, monkeypatch):
    from transformers import BertConfig, BertForSequenceClassification

    sizes = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8}
    config = BertConfig(vocab_size=8, num_hidden_layers=1, **sizes)
    BertForSequenceClassification(config).save_pretrained(tmp_path / "sentiment")
    small_tokenizer().save_pretrained(tmp_path / "sentiment")
    texts = [{"text": "a film", "mood": "good"}, {"text": "film", "mood": "bad"}]
    (tmp_path / "films.jsonl").write_text("\n".join(map(json.dumps, texts)))
    options = ("--model", f"transformers:{tmp_path}/sentiment", "--target", "mood")
    result = command("explain", tmp_path / "films.jsonl", *options, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert {row["predicted"] for row in rows_of(tmp_path / "out")} <= {"bad", "good"}
    assert json.loads((tmp_path / "out" / NUMBERS).read_text())["accuracy"] is not None


def test_of_one_unit_another_class_is_refused_by_a_name_that_is_a_number(home, tmp_path):
    (tmp_path / "names.txt").write_text("1\n2\n")
    model = ("--model", f"{home}/nets.py:Table", "--preprocess", f"{home}/nets.py:encode")
    options = ("--target", "rich", "--classes", tmp_path / "names.txt", "--explain", "1")
    result = command("explain", home / "rows.csv", *model, *options, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "which is explained as 2" in result.stderr
