"""Words as features: which n-grams are theirs, texts without some of them, and known answers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from relprop.data.dataset import Dataset, DataTarget
from relprop.errors import InputError
from relprop.search.prepared import PreparedData
from relprop.use.selection import run
from relprop.use.selection.held_out import sum_entries
from relprop.use.selection.modalities import features_of
from relprop.use.selection.over_k import OverK, measure_over_k
from relprop.use.selection.rankers import RANKERS, RankingTask, rankers_of
from relprop.use.selection.run import select
from relprop.use.selection.text_features import TextFeatures

FILMS = ["A good film, a good plot", "bad film", "Good? bad plot!", "film of plot"]
DECIDE = ("superb", "dreadful", "moving", "clumsy", "witty")


def texts(made, labels=None, parts=None):
    samples = np.empty(len(made), object)
    samples[:] = made
    return Dataset(
        source="made",
        modality="text",
        samples=samples,
        keys=tuple(map(str, range(len(made)))),
        target=DataTarget(
            "classes", ("a", "b"), np.arange(len(made)) % 2 if labels is None else labels
        ),
        parts=np.full(len(made), "train") if parts is None else np.array(parts),
    )


def prepared(dataset):
    features, data = features_of(dataset), PreparedData(dataset)
    rows = np.arange(len(dataset.keys))
    settings = features.settings(data, features.testing_family(), len(rows))
    preparation = data.preparation(rows, settings)
    return features, preparation, data.inputs(preparation, rows)


def five_words(count=400, seed=0):
    """Texts of 60 words, of which five tell the class: three speak for one, two for the other."""
    rng = np.random.default_rng(seed)
    filler = np.array([f"w{i}" for i in range(55)])
    labels = np.arange(count) % 2
    made = []
    for label in labels:
        words = list(rng.choice(filler, 12))
        words.insert(rng.integers(12), rng.choice(DECIDE[::2] if label else DECIDE[1::2]))
        made.append(" ".join(words))
    return texts(made, labels)


def test_words_are_those_of_two_texts_that_are_not_of_the_test_part():
    made = [*FILMS, "of", "secret secret", "secret"]
    parts = ["train"] * 3 + ["validation"] * 2 + ["test"] * 2
    # in three texts: film, plot; in two: bad, good, of
    assert features_of(texts(made, parts=parts)).names == ("film", "plot", "bad", "good", "of")


def test_relevance_of_a_pair_is_shared_by_its_words_and_summed_over_occurrences():
    features, preparation, x = prepared(texts(FILMS))
    relevance = torch.arange(1.0, x.numel() + 1).view(x.shape)
    summed = sum_entries(relevance, features.entries(preparation, x), len(features.names))
    assert features.names == ("film", "plot", "bad", "good")
    for text, row, found in zip(FILMS, relevance, summed, strict=True):
        want = dict.fromkeys(features.names, 0.0)
        for gram, value in zip(preparation.tokens(text), row.tolist(), strict=False):
            for word in (words := gram.split()):
                if word in want:
                    want[word] += value / len(words)
        assert found.tolist() == [want[name] for name in features.names]


def test_other_words_are_left_out_and_the_order_stays():
    features = features_of(texts(FILMS))
    kept = features.keep(np.array([name in ("plot", "good") for name in features.names]), None)
    assert kept.samples.tolist() == ["good good plot", "", "good plot", "plot"]


def test_methods_to_compare_with_see_which_words_a_text_has():
    dataset = texts(FILMS)
    numbers = RankingTask(dataset, np.arange(4), folds=2, seed=0).numbers
    names = features_of(dataset).names
    has = [[name in text.lower() for name in names] for text in FILMS]
    np.testing.assert_array_equal(numbers.x, np.array(has, np.float32))
    assert numbers.entries.tolist() == [0, 1, 2, 3]
    assert numbers.present


def test_mutual_information_of_words_is_the_one_of_their_counts():
    """In nats, of the four counts of text and class: a word that decides has log 2."""
    dataset = texts(["sun x", "rain x", "sun", "rain"] * 3, np.array([0, 1, 0, 1] * 3))
    names = features_of(dataset).names
    task = RankingTask(dataset, np.arange(12), folds=2, seed=0)
    found = dict(zip(names, RANKERS["mutual information"](task), strict=True))
    assert found == pytest.approx({"sun": np.log(2), "rain": np.log(2), "x": 0}, abs=1e-12)


def test_the_five_words_that_decide_are_found_and_are_enough(short_training, monkeypatch):
    for name in ("FOLDS", "OUTER", "INNER"):
        monkeypatch.setattr(run, name, 2)
    chosen = select(five_words(), [5])
    assert set(chosen.kept) == set(DECIDE)
    assert chosen.noun == "word"
    assert chosen.accuracy.estimate(5).mean == 1
    # by class: a word counts where it occurs, and texts without it say nothing of it
    by_class = chosen.ranking.by_class[:, chosen.ranking.order[:5]]
    for name, (first, second) in zip(chosen.kept, by_class.T, strict=True):
        assert (second > 10 * first) if name in DECIDE[::2] else (first > 10 * second)


def test_a_ranking_does_not_see_the_texts_that_models_are_tested_on(short_training):
    """Words that only the test fold has, and that give its classes away, have no relevance."""
    dataset = five_words(120)
    rows = np.arange(60)
    told = dataset.samples.copy()
    for i in range(60, 120):
        told[i] += f" told{dataset.target.values[i]}"
    dataset = replace(dataset, samples=told)
    features = features_of(dataset)
    found = RANKERS["relevance"](RankingTask(dataset, rows, folds=2, seed=0))
    assert [found[features.names.index(word)] for word in ("told0", "told1")] == [0, 0]


@pytest.mark.slow
def test_models_of_words_without_those_that_decide_know_nothing(short_training):
    dataset = five_words()
    others = {"others": lambda task: -RANKERS["mutual information"](task)}
    measured = measure_over_k(dataset, np.arange(400), OverK((20,), others, 2, 2, 0))
    assert abs(measured.estimate(20, "others").mean - 0.5) < 0.1
    assert measured.all_features.mean() > 0.95


def test_permutation_importance_of_words_is_refused():
    assert "permutation importance" not in rankers_of(five_words(20))
    with pytest.raises(
        InputError, match=r'permutation importance.\n.*"mutual information", "L1", "RFE"'
    ):
        select(five_words(40), [2], against=["permutation importance"])


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (["one", "two"] * 20, None),
        (["one"] * 40, "one word"),
        ([f"w{i}" for i in range(40)], "no word"),
    ],
)
def test_texts_without_words_to_choose_from_are_refused(made, said):
    dataset = texts(made)
    if said is None:
        assert TextFeatures(dataset).names == ("one", "two")
        return
    with pytest.raises(InputError, match=f"data with {said} alone\n.*two words or more"):
        select(dataset)


def test_more_words_than_there_are_is_refused():
    with pytest.raises(InputError, match=r"k is 9\n.*from 1 to 6, the number of words"):
        select(texts(FILMS * 8), [9])
