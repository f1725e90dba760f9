"""Relevance is compared by what it is of, and padding counts for nothing."""

from dataclasses import replace

import pytest
import torch
from helpers import made_bundles as made

from relprop.compare_models.maps import RelevanceMaps, likeness, map_sparseness, relevance_maps
from relprop.evaluate import similarity, sparseness

RAGGED = {
    "texts": (made.texts(), "textcnn"),
    "series": (made.series(ragged=True), "fcn"),
}


def maps_of(dataset, family, seed=0, **changes):
    """The maps of a bundle for its test part."""
    bundle = made.bundle_of(dataset, family, seed=seed, **changes)
    rows = dataset.rows("test")
    targets = torch.from_numpy(dataset.target.values[rows])
    return relevance_maps(bundle, dataset.take(rows), targets)


def without_padding(maps):
    """The relevance of each sample, cut where its padding begins, (1, m)."""
    pairs = zip(maps.relevance, maps.there, strict=True)
    return [relevance[there > 0][None] for relevance, there in pairs]


@pytest.mark.parametrize("kind", RAGGED)
def test_padding_makes_no_map_sparser_and_no_two_alike(kind):
    first, second = (maps_of(*RAGGED[kind], seed=seed) for seed in (0, 1))
    cut = without_padding(first)
    assert len({one.numel() for one in cut}) > 1
    expected = torch.cat([sparseness(one) for one in cut]).mean()
    assert map_sparseness(first).mean == pytest.approx(float(expected), abs=1e-6)
    pairs = [similarity(*pair) for pair in zip(cut, without_padding(second), strict=True)]
    found = likeness(first, second)
    ranks = torch.cat([one.spearman for one in pairs])
    assert found.spearman == pytest.approx(float(ranks[ranks.isfinite()].mean()), abs=1e-6)
    angles = torch.cat([one.cosine for one in pairs])
    assert found.cosine == pytest.approx(float(angles[angles.isfinite()].mean()), abs=1e-6)


def test_relevance_of_other_columns_or_tokens_is_not_compared():
    table = made.table()
    columns = [name for name in table.columns if name != "age"]
    ages = [name for name in table.columns if name != "seen"]
    some, others = (
        maps_of(replace(table, columns={name: table.columns[name] for name in names}), "mlp")
        for names in (columns, ages)
    )
    assert some.parts == ("colour", "seen")
    assert some.relevance.shape == others.relevance.shape
    assert likeness(some, others).spearman is None
    assert likeness(some, some).spearman == pytest.approx(1.0)
    words, grams = (
        maps_of(made.texts(), "textcnn", length=5),
        maps_of(made.texts(), "ngrams", length=5),
    )
    assert words.relevance.shape == grams.relevance.shape
    assert likeness(words, grams).cosine is None


def test_without_relevance_there_is_no_sparseness():
    zero = torch.zeros(3, 4)
    nothing = RelevanceMaps(zero, torch.ones_like(zero), ())
    assert map_sparseness(nothing) is None
    assert likeness(nothing, nothing).cosine is None
    some = RelevanceMaps(torch.tensor([[0.0, 0.0], [0.0, 3.0]]), torch.ones(2, 2), ())
    assert map_sparseness(some).mean == pytest.approx(0.5)
