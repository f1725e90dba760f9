"""A bundle predicts raw samples in the user's terms, and explains them by the user's names."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers import made_bundles as made
from torch import nn

import relprop
from relprop.bundles import build
from relprop.bundles.bundle import load, open_content
from relprop.bundles.content import Metric
from relprop.bundles.write import write_bundle
from relprop.data.read import read_dataset
from relprop.errors import InputError

SMALL = {"width": 16, "depth": 1, "dropout": 0.0}


@pytest.fixture(scope="module")
def table():
    return made.bundle_of(made.table(), "mlp", **SMALL)


def test_rows_in_all_their_forms_are_predicted_alike(table, tmp_path):
    frame = made.table().samples.iloc[:4]
    logits = table.model(table.preparation.apply(frame))
    expected = [made.ANIMALS[k] for k in logits.argmax(1)]
    assert list(table.predict(frame)) == expected
    assert list(table.predict(frame.assign(more=1)[["more", "seen", "colour", "age"]])) == expected
    assert list(table.predict(frame.to_dict("list"))) == expected
    assert list(table.predict(frame.to_dict("records"))) == expected
    assert [*table.predict(frame.iloc[1].to_dict())] == expected[1:2]
    assert [*table.predict(frame.iloc[1])] == expected[1:2]
    probabilities = table.predict_proba(frame)
    assert probabilities == pytest.approx(logits.softmax(1).detach().numpy())


def test_a_missing_column_is_named_and_a_near_name_offered(table):
    frame = made.table().samples.rename(columns={"colour": "color"})
    with pytest.raises(InputError, match=r"without the column 'colour'\n.*\n.*rename \"color\""):
        table.predict(frame)


def test_relevance_of_rows_is_folded_to_the_columns_of_the_user(table):
    frame = made.table().samples.iloc[:5]
    explained = table.explain(frame, "dog")
    by_column = explained.to_frame()
    assert sorted(by_column.columns) == ["age", "colour", "seen"]
    assert by_column.to_numpy().sum(1) == pytest.approx(
        explained.relevance.double().sum(1).numpy(), abs=1e-5
    )
    axes = explained.plot([0]).axes[0]
    shown = {label.get_text() for label in axes.get_yticklabels()}
    assert f"colour = {frame['colour'].iloc[0]}" in shown
    assert f"age = {frame['age'].iloc[0]:.6g}" in shown
    assert "explained: dog" in axes.get_title(loc="left")
    assert {one.name for one in explained.overall().features} == {"age", "colour", "seen"}


def test_relevance_of_ngrams_is_that_of_the_words_of_a_text(tmp_path):
    """Of a linear network without bias: a word has its own, and half of each pair it is in."""
    content = made.content_of(made.texts(), "ngrams")
    weights = content.members[0].weights
    weights["ratio"][1:] = torch.randn(weights["ratio"][1:].shape, generator=torch.manual_seed(0))
    bundle = open_content(content)
    score = dict(
        zip(bundle.preparation.tokenizer.vocabulary, weights["ratio"][2:, 1].double(), strict=True)
    )
    text = "Cat: the new cat sees the small owl"
    explained = bundle.explain([text, "new"], "dog")
    strength = weights["weight"][0, 0]
    want, words = np.zeros(8), text.lower().replace(":", "").split()
    for i, word in enumerate(words):
        want[i] += float(score.get(word, 0)) / words.count(word)
    pairs = [f"{one} {two}" for one, two in pairwise(words)]
    for i, pair in enumerate(pairs):
        want[[i, i + 1]] += float(score.get(pair, 0)) / 2 / pairs.count(pair)
    np.testing.assert_allclose(explained.relevance[0], want * float(strength), atol=1e-5)
    rows = explained.to_frame()
    assert list(rows["token"]) == [*words, "new"]
    assert list(rows["sample"]) == [0] * 8 + [1]
    np.testing.assert_allclose(rows["relevance"][:8], want * float(strength), atol=1e-5)
    assert rows["relevance"][2] == 0  # "new" is not known
    assert explained.input[1].tolist() == [1] + [0] * 7
    known = {word: explained.input[0, i] - 2 for i, word in enumerate(words) if i != 2}
    vocabulary = bundle.preparation.tokenizer.vocabulary
    assert {word: vocabulary[place] for word, place in known.items()} == {w: w for w in known}
    explained.save(tmp_path / "saved.npz")
    saved = relprop.Explanation.load(tmp_path / "saved.npz")
    assert torch.equal(saved.relevance, explained.relevance)
    every = bundle.explain([text, "new"], "all")
    torch.testing.assert_close(every.relevance[:, 1], explained.relevance)
    by_ngram = bundle.explainer(bundle.prepare([text, "new"]), 1).relevance
    torch.testing.assert_close(by_ngram.sum(1), explained.relevance.sum(1))


def test_a_frame_of_other_texts_has_a_row_for_each_token():
    bundle = made.bundle_of(made.texts(), "textcnn")
    explained = bundle.explain(["the cat", "an owl sees"], recipe="zero")
    rows = explained.to_frame()
    assert list(rows["token"]) == [
        *bundle.preparation.tokens("the cat"),
        *bundle.preparation.tokens("an owl sees"),
    ]
    assert list(rows["sample"]) == [0, 0, 1, 1, 1]
    want = [*explained.relevance[0, :2], *explained.relevance[1, :3]]
    np.testing.assert_allclose(rows["relevance"], torch.stack(want))


@pytest.mark.parametrize("family", ["ngrams", "textcnn", "gru", "transformer"])
def test_padding_of_texts_gets_no_relevance_by_the_default_recipe(family):
    content = made.content_of(made.texts(), family)
    weights = content.members[0].weights
    if family == "ngrams":  # which are 0 before training
        weights["ratio"][1:] = torch.randn(
            weights["ratio"][1:].shape, generator=torch.manual_seed(0)
        )
    bundle = open_content(content)
    x = bundle.prepare(["the cat", "an owl", "the small old dog likes a cat"])
    relevance = bundle.explainer(x, 1).relevance
    assert (x == 0).sum(1).tolist()[0] > 3
    assert (relevance[x == 0] == 0).all()
    known = x > 1
    assert (relevance[known] != 0).float().mean() > 0.9


def test_a_class_that_is_not_there_is_refused_with_the_nearest(table):
    with pytest.raises(InputError, match=r"target='dogs'\n.*cat, dog, owl\n.*write \"dog\""):
        table.explain(made.table().samples, "dogs")


def test_several_members_are_averaged(tmp_path):
    data = made.table()
    content = made.content_of(data, "mlp", members=2, **SMALL)
    alone = [made.bundle_of(data, "mlp", seed=k, **SMALL) for k in (0, 1)]
    write_bundle(tmp_path, content)
    both, x = load(tmp_path), alone[0].prepare(data.samples)
    torch.testing.assert_close(both.model(x), (alone[0].model(x) + alone[1].model(x)) / 2)
    assert "model: mlp, mean of 2; " in repr(both)


def test_a_value_is_predicted_and_explained_in_its_own_units():
    bundle = made.bundle_of(made.table(made.value()), "mlp", **SMALL)
    frame = made.table().samples
    standardised = bundle.model.network(bundle.prepare(frame))[:, 0]
    expected = 30 + 11 * standardised.double()
    assert bundle.predict(frame) == pytest.approx(expected.numpy(), rel=1e-6)
    explained = bundle.explain(frame, recipe="zero", ledger=True)
    assert explained.output[:, 0].double().numpy() == pytest.approx(expected.numpy(), rel=1e-6)
    absorbed = sum(explained.ledger.absorbed.values())
    assert explained.ledger.imbalance.max() < 1e-4
    balance = explained.relevance.flatten(1).sum(1) + absorbed
    assert balance.numpy() == pytest.approx(expected.numpy(), rel=1e-4)
    with pytest.raises(InputError, match="probabilities of weight, which is a number"):
        bundle.predict_proba(frame)


def test_labels_are_predicted_one_by_one_and_have_independent_probabilities():
    bundle = made.bundle_of(made.table(made.labels()), "mlp", **SMALL)
    frame = made.table().samples
    logits = bundle.model(bundle.prepare(frame))
    assert bundle.predict(frame).tolist() == (logits > 0).tolist()
    assert bundle.predict_proba(frame) == pytest.approx(logits.sigmoid().numpy())
    explained = bundle.explain(frame, "third")
    assert explained.head.kind == "independent probabilities"
    torch.testing.assert_close(explained.logits, logits)


def test_series_of_any_length_are_predicted_and_drawn_with_their_mask():
    bundle = made.bundle_of(made.series(ragged=True), "fcn", width=8)
    ones = [np.ones((2, 5)), np.ones((2, 30))]
    assert bundle.predict(ones).shape == (2,)
    explained = bundle.explain(ones)
    assert explained.relevance.shape == (2, *bundle.preparation.shape)
    labels = [axes.get_ylabel() for axes in explained.plot([0]).axes]
    assert any("is there" in label for label in labels)
    with pytest.raises(InputError, match=r"a series of shape \(5, 2\)\n.*\(2, time\)\n.*series\.T"):
        bundle.predict(np.ones((5, 2)))


class WithPositions(nn.Linear):
    """A network with a buffer that its state dict does not hold."""

    def __init__(self):
        super().__init__(16, 3)
        self.register_buffer("positions", torch.arange(16.0), persistent=False)


def test_the_buffers_that_no_state_dict_holds_are_there(monkeypatch):
    monkeypatch.setattr(build, "build_network", lambda *_: WithPositions())
    member = made.content_of(made.table(), "mlp", **SMALL).members[0]
    network = build.build_member(replace(member, weights=WithPositions().state_dict()))
    assert network.positions.tolist() == list(range(16))


def test_a_transformer_is_loaded(tmp_path):
    content = made.content_of(made.series(), "transformer", width=16, depth=1)
    write_bundle(tmp_path, content)
    loaded = relprop.load(str(tmp_path))
    assert loaded.predict(made.series().samples).shape == (60,)


def test_a_network_of_other_weights_is_refused(tmp_path):
    content = made.content_of(made.table(), "mlp", **SMALL)
    member = content.members[0]
    content = replace(content, members=(replace(member, settings={**member.settings, "width": 8}),))
    write_bundle(tmp_path, content)
    with pytest.raises(relprop.errors.FileError, match=r'a network "mlp".*cannot be built: .*16'):
        load(tmp_path)


def test_a_preparation_of_another_version_is_refused(tmp_path):
    content = made.content_of(made.table(), "mlp", **SMALL)
    saved = replace(content.preparation, state={"kinds": []})
    write_bundle(tmp_path, replace(content, preparation=saved))
    with pytest.raises(relprop.errors.FileError, match="preparation of samples cannot be made"):
        load(tmp_path)


def test_metrics_are_found_by_name_and_printed():
    bundle = made.bundle_of(made.table(), "mlp", **SMALL)
    metric = Metric("accuracy", 0.75, 0.6, 0.9, 12)
    measured = replace(bundle, content=replace(bundle.content, metrics=(metric,)))
    assert measured.metrics["accuracy"] is metric
    assert "accuracy 0.7500 [0.6000, 0.9000], n = 12 on the test part" in repr(measured)


def test_a_model_of_arrays_takes_arrays():
    x = np.random.default_rng(0).normal(size=(60, 4))
    x[:, 1] = 3.0  # left out, as it is constant
    dataset = read_dataset((x, np.arange(60) % 2))
    bundle = made.bundle_of(dataset, "mlp", width=8)
    want = bundle.predict_proba(dataset.samples)
    assert len(np.unique(want, axis=0)) > 50
    np.testing.assert_array_equal(bundle.predict_proba(x), want)
    np.testing.assert_allclose(bundle.predict_proba(x[7]), want[7:8], rtol=1e-5)
    assert bundle.explain(x[:2]).to_frame().shape[0] == 2
    with pytest.raises(InputError, match=r"an array of shape \(60, 3\)"):
        bundle.predict(x[:, [0, 2, 3]])
    with pytest.raises(InputError, match=r"rows as a ndarray"):
        made.bundle_of(made.table(), "mlp", width=8).predict(x)
