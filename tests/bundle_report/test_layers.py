"""The section about layers: its numbers against those of `utilisation`."""

import html

import pytest
import torch
from helpers import made_bundles as made

from relprop.bundle_report.explanations import Explained
from relprop.bundle_report.layers import layer_section
from relprop.bundle_report.time_limit import TimeLimit
from relprop.bundles.content import PartOutputs
from relprop.use import utilisation


def explained(dataset, family, **settings):
    bundle = made.bundle_of(dataset, family, **settings)
    rows = dataset.rows("test")
    outputs = bundle.outputs(bundle.prepare_samples(dataset.take(rows)))
    targets = torch.from_numpy(dataset.target.values[rows])
    return Explained(bundle, dataset, "test", PartOutputs(torch.from_numpy(rows), outputs, targets))


def test_its_rows_are_what_utilisation_measures():
    what = explained(made.pictures(), "cnn", width=8, depth=1)
    text = html.unescape(layer_section(what, TimeLimit(None)).html)
    bundle, places = what.bundle, list(range(12))
    x = bundle.prepare_samples(what.samples(places))
    y = what.outputs.targets
    used = utilisation(bundle.explained_model, x, y, recipe=bundle.explainer.recipe)
    assert f"{len(used.layers)} layers before the scores, 12 samples." in text
    for one in used.layers:
        assert one.name in text
        assert f"{one.carrying} ({one.carrying / one.channels:.0%})" in text
        assert f"{one.absorbed_by_bias:.1%}" in text


def test_its_advice_is_a_share_of_all_channels():
    what = explained(made.pictures(), "cnn", width=8, depth=1)
    hint = layer_section(what, TimeLimit(None)).hint
    x = what.bundle.prepare_samples(what.samples(list(range(12))))
    recipe = what.bundle.explainer.recipe
    used = utilisation(what.bundle.explained_model, x, what.outputs.targets, recipe=recipe)
    share = sum(used.widths.values()) / sum(one.channels for one in used.layers)
    assert f"Layers of {share:.0%} of these widths" in hint


@pytest.mark.parametrize("target", [made.value(), made.labels()], ids=["value", "labels"])
def test_without_classes_there_is_no_section(target):
    what = explained(made.pictures(target), "cnn", width=8, depth=1)
    assert layer_section(what, TimeLimit(None)) is None


def test_without_time_there_is_none():
    what, clock = explained(made.pictures(), "cnn", width=8, depth=1), TimeLimit(1.0)
    with clock.measured("sample"):
        clock.has(2.0)
    clock._costs["sample"] = 1.0  # a second for each sample
    assert layer_section(what, clock) is None
    assert clock.was_short
