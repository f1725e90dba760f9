"""Curves of removal in a report: what is removed of each modality, and what stands for it."""

import pytest
import torch
from helpers import made_bundles as made

from relprop.bundle_report.removal import measure_removal
from relprop.evaluate import columns, grouped, removal_curves, tokens, windows


def samples_of(modality):
    """A bundle, and its prepared samples."""
    makers = {
        "picture": (made.pictures, "cnn"),
        "series": (made.series, "fcn"),
        "text": (made.texts, "textcnn"),
        "table": (made.table, "mlp"),
    }
    make, family = makers[modality]
    dataset = make()
    bundle = made.bundle_of(dataset, family)
    return bundle, bundle.prepare_samples(dataset.take(dataset.rows("test")))


@pytest.mark.parametrize("modality", ["picture", "series", "text", "table"])
def test_units_and_fill_follow_the_modality(modality):
    bundle, x = samples_of(modality)
    whole, e = x, bundle.explainer(x)
    groups = getattr(getattr(bundle.preparation, "columns", None), "groups", {})
    owner = {feature: i for i, of in enumerate(groups.values()) for feature in of}
    if modality == "text":  # short ones would leave few steps to all
        x = x[(x != 0).sum(1) >= min(10, int((x != 0).sum(1).median()))]
        e = bundle.explainer(x)
    units, fill, count = {
        "picture": (None, "neighbours", x[0, 0].numel()),
        "series": (windows(-(-x.shape[-1] // 10)), "mean", 10),
        "text": (tokens(x != 0), "zero", int((x != 0).sum(1).min())),
        "table": (columns([owner[i] for i in sorted(owner)]), "mean", len(groups)),
    }[modality]
    expected = removal_curves(
        bundle.explained_model,
        x,
        {"LRP": e.relevance.detach()},
        target=e.prediction,
        fill=fill,
        steps=min(10, count),
        score="probability",
        output_kind=e.head.kind,
        units=units,
        seed=3,
    )["LRP"]
    found = measure_removal(bundle, whole, seed=3)["LRP"]
    for order in ("morf", "lerf", "random"):
        torch.testing.assert_close(getattr(found, order).scores, getattr(expected, order).scores)
    assert not torch.equal(found.morf.scores, found.lerf.scores)


def test_a_text_of_one_word_leaves_the_others_their_steps():
    bundle, x = samples_of("text")
    short = torch.zeros_like(x[:1])
    short[0, 0] = x[0, 0]
    expected = measure_removal(bundle, x)["LRP"]
    found = measure_removal(bundle, torch.cat([x, short]))["LRP"]
    assert expected.morf.scores.shape[1] > 3
    torch.testing.assert_close(found.morf.scores, expected.morf.scores)


def test_padding_of_series_is_never_removed():
    dataset = made.series(ragged=True)
    bundle = made.bundle_of(dataset, "fcn")
    x = bundle.prepare_samples(dataset.take(dataset.rows("test")))
    e = bundle.explainer(x)
    index = torch.full(x.shape, -1)
    for sample, there in enumerate(x[:, -1].sum(1).int().tolist()):
        places = list(dict.fromkeys((c, step // 2) for c in range(2) for step in range(there)))
        for channel in range(2):
            for step in range(there):
                index[sample, channel, step] = places.index((channel, step // 2))
    assert (index == -1).any(2)[:, :2].any()  # some are padded
    expected = removal_curves(
        bundle.explained_model,
        x,
        {"LRP": e.relevance.detach()},
        target=e.prediction,
        fill="mean",
        steps=10,
        score="probability",
        output_kind=e.head.kind,
        units=grouped(index),
    )["LRP"]
    found = measure_removal(bundle, x)["LRP"]
    torch.testing.assert_close(found.morf.scores, expected.morf.scores)
    torch.testing.assert_close(found.random.scores, expected.random.scores)
