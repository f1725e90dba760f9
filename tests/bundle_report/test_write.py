"""The page of a bundle's report: its sections, what they say, and how time is kept."""

import re
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import made_bundles as made

from relprop.bundle_report.explanations import Explained, example_section
from relprop.bundle_report.time_limit import TimeLimit
from relprop.bundle_report.write import PAGE, open_data, part_of, write_bundle_report
from relprop.bundles.bundle import open_content
from relprop.bundles.content import CurvePoint, LeaderboardRow, Metric, PartOutputs, ValueScale
from relprop.data.dataset import DataTarget
from relprop.data.fingerprint import data_fingerprint, order_fingerprint
from relprop.data.words import counted
from relprop.errors import InputError

SMALL = {"width": 16, "depth": 1, "dropout": 0.0}
EVERY = ["The data", "The search", "How good it is", "Whether its probabilities hold"]


def measured(dataset, family, **changes):
    """A bundle for a data set, with its outputs for the test part and a made search."""
    content = made.content_of(dataset, family, **changes)
    bundle = open_content(content)
    rows = dataset.rows("test")
    outputs = bundle.outputs(bundle.prepare_samples(dataset.take(rows)))
    if bundle.task == "value":
        outputs = (outputs - content.scale.mean) / content.scale.std
    targets = torch.from_numpy(dataset.target.values[rows])
    settings = content.members[0].settings
    return open_content(
        replace(
            content,
            outputs={"test": PartOutputs(torch.from_numpy(rows), outputs, targets)},
            fingerprints={
                "data": data_fingerprint(dataset),
                "order": order_fingerprint(dataset),
            },
            metrics=(Metric("accuracy", 0.5, 0.25, 0.75, 12),),
            leaderboard=(
                LeaderboardRow(
                    1, family, {**settings, "rate": 0.50000123}, "done", 0.8, 9.0, 1.5, 1234
                ),
                LeaderboardRow(0, family, settings, "pruned", None, 2.0, 1.0, 1234, "by halving"),
            ),
            curves=tuple(
                CurvePoint(0, i / 3, i, i, 2 - i / 3, 2.5 - i / 3, i / 4) for i in range(3)
            ),
        )
    )


def page_of(bundle, dataset, folder, **options):
    write_bundle_report(bundle, dataset, folder / PAGE, **options)
    text = (folder / PAGE).read_text()
    assert len(text) < 10e6
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)
    return text


def headings(text):
    return re.findall(r"<h2>(.*?)</h2>", text)[:-1]


def test_a_table_of_classes_has_every_section(tmp_path):
    dataset = made.table()
    bundle = measured(dataset, "mlp", **SMALL)
    text = page_of(bundle, dataset, tmp_path)
    assert headings(text) == [
        *EVERY,
        "What each class is recognised by",
        "What was mistaken, and why",
        "What counts overall",
        "Whether relevance is faithful",
    ]
    part = bundle.content.outputs["test"]
    guesses = part.outputs.argmax(1).tolist()
    right = int((part.outputs.argmax(1) == part.targets).sum())
    assert f"{right} of 12 samples of the test part are right" in text
    assert "accuracy 0.5000 [0.2500, 0.7500], n = 12" in text
    assert "rate 0.5" in text
    assert "by halving" in text
    mistaken = [(t, p) for t, p in zip(part.targets.tolist(), guesses, strict=True) if t != p]
    (t, p), times = min(Counter(mistaken).items(), key=lambda item: (-item[1], item[0]))
    assert f"{made.ANIMALS[t]} taken for {made.ANIMALS[p]}, {counted(times, 'time')}" in text
    wrong = int((part.outputs.argmax(1) != part.targets).nonzero()[0])
    true = made.ANIMALS[int(part.targets[wrong])]
    guess = made.ANIMALS[int(part.outputs[wrong].argmax())]
    assert f"explained: {guess} against {true}" in text
    assert f"true: {true}; predicted: {guess}" in text


@pytest.mark.parametrize(
    ("dataset", "family", "changes", "title"),
    [
        (made.table(made.value()), "mlp", SMALL, "What weight is read from"),
        (made.table(made.labels()), "mlp", SMALL, "What each label is recognised by"),
        (made.series(), "fcn", {"width": 8}, "What each class is recognised by"),
        (made.texts(), "textcnn", {}, "What each class is recognised by"),
        (made.pictures(), "cnn", {"width": 8}, "What each class is recognised by"),
    ],
    ids=["value", "labels", "series", "texts", "pictures"],
)
def test_other_tasks_and_data_have_their_own_words(tmp_path, dataset, family, changes, title):
    text = page_of(measured(dataset, family, **changes), dataset, tmp_path)
    assert title in headings(text)
    assert "Whether relevance is faithful" in headings(text)
    assert ("Whether its probabilities hold" in headings(text)) == (dataset.target.task != "value")


def test_each_card_of_a_label_has_the_probability_of_that_label(tmp_path):
    dataset = made.table(made.labels())
    bundle = measured(dataset, "mlp", **SMALL)
    text = page_of(bundle, dataset, tmp_path)
    shown = re.search(r"<h2>What each label.*?</section>", text, re.DOTALL).group()
    probabilities = bundle.predict_proba(dataset.take(dataset.rows("test")))
    groups = re.split(r"<h3>", shown)[1:]
    assert len(groups) > 1
    for group in groups:
        label = group.split("<")[0]
        cards = re.findall(r'class="name">(.*?)</p>\s*<p><b>(.*?)</b>', group)
        assert cards
        for key, title in cards:
            row = int(key.removeprefix("row ")) - 49
            p = probabilities[row, bundle.classes.index(label)]
            assert title == f"{label}: {p:.1%}"


def test_values_are_written_in_full(tmp_path):
    values = DataTarget("value", ("weight",), np.linspace(1000.0, 5000.0, 60))
    dataset = made.table(values)
    bundle = measured(dataset, "mlp", **SMALL)
    text = page_of(
        open_content(replace(bundle.content, scale=ValueScale(3000.0, 1100.0))), dataset, tmp_path
    )
    assert not re.findall(r"\de\+\d", text)
    assert re.search(r"<b>weight: \d{4}\.\d</b>", text)
    assert "true: 5000; predicted" in text
    assert "Mean prediction of 12 samples while" in text


def test_no_measure_of_a_value_is_shown_twice(tmp_path):
    dataset = made.table(made.value())
    bundle = measured(dataset, "mlp", **SMALL)
    metrics = (Metric("R^2", 0.5, 0.25, 0.75, 12), Metric("mean absolute error", 3.0, 2.0, 4.0, 12))
    own = open_content(replace(bundle.content, metrics=metrics))

    def measures(data):
        part = page_of(own, data, tmp_path).split("How good it is</h2>")[1].split("</section>")[0]
        return re.findall(r"<th[^>]*>(R\^2|[a-z ]+ error)</th>", part)

    assert measures(dataset) == ["R^2", "mean absolute error", "root mean square error"]
    other = replace(dataset, samples=dataset.samples.iloc[::-1])
    assert measures(other) == ["mean absolute error", "root mean square error", "R^2"]


def test_it_says_what_relevance_of_a_table_is_measured_from(tmp_path):
    """And of a value that it need not add up to the prediction, as biases take up a part."""
    dataset = made.table(made.value())
    text = page_of(measured(dataset, "mlp", **SMALL), dataset, tmp_path)
    assert text.count("Relevance is measured from the average training row") == 2
    assert "is from 30, the mean, but for the part that biases of the network take up" in text
    assert "measured from 30" not in text
    texts = page_of(measured(made.texts(), "textcnn"), made.texts(), tmp_path)
    assert "average training row" not in texts


def test_words_of_ngrams_are_shown_once_and_as_in_the_text(tmp_path):
    dataset = made.texts()
    text = page_of(measured(dataset, "ngrams"), dataset, tmp_path)
    cards = re.findall(r'<p class="text">(.*?)</p>', text, re.DOTALL)
    shown = {" ".join(re.findall(r">([^<]*)</span>", card)) for card in cards}
    assert len(shown) > 3
    assert shown <= set(dataset.samples)


def test_a_default_that_learned_everything_is_called_not_validated(tmp_path):
    bundle = measured(made.table(), "mlp", **SMALL)
    pruned = bundle.content.leaderboard[1]
    alone = replace(bundle.content, leaderboard=(replace(pruned, state="done", note=""),))
    text = page_of(open_content(alone), None, tmp_path)
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", text.split("Trials, the best first</caption>")[1])
    assert cells[:6] == ["mlp", "done", "", "not validated", "2", "1.0"]
    assert "What is not validated was trained on everything but the test part." in text
    text = page_of(bundle, None, tmp_path)
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", text.split("Trials, the best first</caption>")[1])
    assert cells[:4] == ["mlp", "done", "rate 0.5", "0.8000"]
    assert cells[7:11] == ["mlp", "stopped early", "by halving", ""]
    assert "not validated" not in text


def test_without_data_nothing_is_explained(tmp_path):
    text = page_of(measured(made.table(), "mlp", **SMALL), None, tmp_path)
    assert headings(text) == EVERY
    assert open_data(measured(made.table(), "mlp", **SMALL), None) is None


def test_little_time_leaves_samples_out_and_says_so(tmp_path):
    dataset = made.table()
    bundle = measured(dataset, "mlp", **SMALL)
    start = time.monotonic()
    text = page_of(bundle, dataset, tmp_path, seconds=0.5)
    assert time.monotonic() - start < 5
    assert "Time was short" in text
    assert "What each class is recognised by" not in headings(text)
    assert "Time was short" not in page_of(bundle, dataset, tmp_path, seconds=600)


def test_the_time_of_a_sample_is_known_where_nothing_is_predicted_rightly():
    dataset = made.table()
    bundle = measured(dataset, "mlp", **SMALL)
    part = bundle.content.outputs["test"]
    wrong = replace(part, targets=(part.outputs.argmax(1) + 1) % 3)
    clock = TimeLimit(60.0)
    assert example_section(Explained(bundle, dataset, "test", wrong), clock) is None
    assert clock.afforded(10**8, "sample", share=1.0) < 10**8


def test_of_other_data_all_samples_are_judged_by_the_classes_of_the_bundle():
    dataset = made.table()
    bundle = measured(dataset, "mlp", **SMALL)
    other = replace(
        dataset,
        samples=dataset.samples.iloc[:10],
        keys=dataset.keys[:10],
        parts=dataset.parts[:10],
        target=DataTarget("classes", ("owl", "cat"), np.arange(10) % 2),
    )
    part, outputs = part_of(bundle, other)
    assert part == "given"
    assert outputs.targets.tolist() == [2, 0] * 5
    expected = bundle.outputs(bundle.prepare(other.samples))
    torch.testing.assert_close(outputs.outputs, expected)
    strange = replace(other, target=DataTarget("classes", ("owl", "newt"), np.arange(10) % 2))
    with pytest.raises(InputError, match=r"owl, newt\n.*cat, dog, owl"):
        part_of(bundle, strange)


def test_values_of_other_data_are_judged_in_their_own_units():
    dataset = made.table(made.value())
    bundle = measured(dataset, "mlp", **SMALL)
    other = replace(dataset, samples=dataset.samples.iloc[::-1])
    part, outputs = part_of(bundle, other)
    assert part == "given"
    torch.testing.assert_close(outputs.targets, torch.from_numpy(dataset.target.values))
    predicted = 30.0 + 11.0 * outputs.outputs[:, 0].double()
    np.testing.assert_allclose(predicted, bundle.predict(other.samples), rtol=1e-5)


def test_labels_of_other_data_are_put_into_the_order_of_the_bundle():
    dataset = made.table(made.labels())
    bundle = measured(dataset, "mlp", **SMALL)
    values = np.arange(120, dtype=np.float32).reshape(60, 2) % 2
    target = DataTarget("labels", ("fifth", "even"), values)
    _, outputs = part_of(bundle, replace(dataset, target=target))
    assert outputs.targets.tolist() == [[1.0, 0.0, 0.0]] * 60


def test_the_own_data_in_another_order_is_refused():
    dataset = made.table()
    bundle = measured(dataset, "mlp", **SMALL)
    turned = replace(
        dataset,
        samples=dataset.samples.iloc[::-1],
        target=replace(dataset.target, values=dataset.target.values[::-1].copy()),
    )
    assert data_fingerprint(turned) == data_fingerprint(dataset)
    with pytest.raises(InputError, match=r"fitted to in another order\n.*\n.*sort its rows"):
        part_of(bundle, turned)


def test_the_test_part_of_the_own_data_is_shown():
    dataset = made.table()
    bundle = measured(dataset, "mlp", **SMALL)
    part, outputs = part_of(bundle, dataset)
    assert part == "test"
    assert outputs is bundle.content.outputs["test"]
