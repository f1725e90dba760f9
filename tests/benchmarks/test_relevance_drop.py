"""The benchmark trains tiny networks, and its page says what was measured."""

import json
from types import SimpleNamespace

import pytest
import relevance_drop
import torch
from relevance_drop import MARKED, METHODS, Task, mixup_loss
from relevance_drop_cost import ratio
from relevance_drop_data import Pictures, corners, corrupted, marked
from relevance_drop_networks import cnn, resnet
from relevance_drop_page import PENALTY, _cost, difference, page


def pictures(_, train, test, channels=1, side=28):
    """Pictures whose class is the place of a bright row."""
    generator = torch.Generator().manual_seed(0)
    x = 0.2 * torch.rand(train + test, channels, side, side, generator=generator)
    y = torch.arange(train + test) % 10
    x[torch.arange(train + test), :, 4 + 2 * y] += 0.8
    return Pictures(x[:train], y[:train], x[train:], y[train:])


TASKS = {
    "marks": Task(pictures, lambda: cnn(2), "2", 20, 20, 1, 10, 1e-3),
    "rows": Task(pictures, lambda: cnn(2), "2", 20, 20, 1, 10, 1e-3),
}


def test_a_run_is_kept_goes_on_and_gives_a_page(tmp_path):
    options = SimpleNamespace(data=None, seeds=1, rounds=0, only="marks, *", out=tmp_path / "p.md")
    relevance_drop.run_all(options, TASKS)
    first = json.loads((tmp_path / "p.json").read_text())["runs"]
    assert [run["method"] for run in first] == list(MARKED)
    options.only = "*"
    results = relevance_drop.run_all(options, TASKS)
    assert results["runs"][: len(first)] == first
    assert [run["method"] for run in results["runs"][len(first) :]] == list(METHODS)
    text = page(results)
    accuracy = 100 * results["runs"][len(first)]["clean"]
    assert f"| none (1 seeds) | {accuracy:.1f} |" in text
    assert "20 training and 20 test pictures, 1 epochs" in text


def test_differences_are_paired_and_nulls_are_named():
    better = {seed: {"clean": 0.5 + 0.1 * seed} for seed in range(4)}
    worse = {seed: {"clean": 0.4 + 0.1 * seed} for seed in (1, 2, 3, 9)}
    assert difference(better, worse, "clean") == "+10.0 [+10.0, +10.0]"
    mixed = {seed: {"clean": 0.5 + 0.1 * seed + (-1) ** seed * 0.1} for seed in range(4)}
    assert difference(mixed, better, "clean").endswith("(null)")


def test_corruptions_and_marks_are_what_they_say():
    some = pictures(None, 10, 10).standardised()
    assert abs(some.train.mean().item()) < 1e-5
    copies = corrupted(some)
    assert copies["clean"].equal(some.test)
    centred = [x - x.mean((1, 2, 3), keepdim=True) for x in (copies["contrast"], some.test)]
    torch.testing.assert_close(centred[0], 0.4 * centred[1])
    hidden = copies["occlusion"].eq(0).double().mean().item()
    assert hidden == pytest.approx(0.25, abs=0.05)
    generator = torch.Generator().manual_seed(0)
    with_marks = marked(some, some.test, some.test_classes, generator)
    changed = (with_marks != some.test)[:, 0]
    assert changed.flatten(1).sum(1).tolist() == [16] * 10
    assert not changed[:, ~corners(some.test).any(0)].any()
    grey = [one[at].mean().item() for one, at in zip(with_marks[:, 0], changed, strict=True)]
    expected = (1 - some.test_classes / 10 - some.mean) / some.deviation
    torch.testing.assert_close(torch.tensor(grey), expected.float())


def test_ratios_are_of_the_same_round():
    plain, row = {"seconds": [1.0, 2.0, 4.0]}, {"seconds": [1.5, 3.0, 6.0]}
    assert ratio(row, plain) == (1.5, 1.5, 1.5)


def test_the_networks_take_their_pictures():
    assert cnn(2)(torch.rand(2, 1, 28, 28)).shape == (2, 10)
    assert resnet(2, 2)(torch.rand(2, 3, 32, 32)).shape == (2, 10)


def test_mixup_mixes_half_of_the_pictures_and_their_labels_alike():
    x, y = torch.rand(6, 1, 28, 28), torch.tensor([0, 1, 2, 3, 4, 5])
    model = cnn(2)
    torch.manual_seed(3)
    found = mixup_loss(model, x, y)
    torch.manual_seed(3)
    own = torch.randperm(6)[:3].tolist()
    weights = torch.rand(3, 1)[:, 0].tolist()
    mixed, labels = x.clone(), torch.eye(10)[y]
    for i, partner, weight in zip(own, own[-1:] + own[:-1], weights, strict=True):
        mixed[i] = (1 - weight) * x[i] + weight * x[partner]
        labels[i] = 0
        labels[i, y[i]], labels[i, y[partner]] = 1 - weight, weight
    want = -(labels * model(mixed).log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(found, want)


@pytest.mark.parametrize(("seconds", "word"), [(1.6, "met"), (1.7, "missed")])
def test_the_page_says_whether_the_penalty_is_as_cheap_as_it_should_be(seconds, word):
    rows = [
        {"network": network, "method": method, "seconds": [one] * 3}
        for network, of_penalty in (("CNN", 1.5), ("ResNet", seconds))
        for method, one in (("plain", 1.0), (PENALTY, of_penalty))
    ]
    assert _cost(rows).endswith(
        f"{PENALTY}: 1.50 and {seconds:.2f} times the plain step; target 1.6: {word}."
    )
