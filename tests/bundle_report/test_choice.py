"""Which samples a report explains."""

import torch
from helpers import made_bundles as made

from relprop.bundle_report.choice import choose_mistakes, choose_shown
from relprop.bundles.content import PartOutputs


def part(outputs, targets):
    """What a model gave for a part of the data, and what is true of it."""
    outputs, targets = torch.tensor(outputs), torch.tensor(targets)
    return PartOutputs(torch.arange(len(outputs)), outputs, targets)


def test_the_most_certain_mistakes_come_first():
    content = made.content_of(made.table(), "mlp")
    sure, doubtful, right = [0.0, 9.0, 0.0], [0.0, 1.0, 0.5], [5.0, 0.0, 0.0]
    outputs = part([right, doubtful, sure, right], [0, 2, 0, 0])
    assert choose_mistakes(content, outputs) == [2, 1]
    assert choose_mistakes(content, part([right] * 3, [0] * 3)) == []
    assert choose_mistakes(content, part([sure] * 20, [0] * 20)) == list(range(8))


def test_the_most_certain_of_wrong_labels_come_first():
    content = made.content_of(made.table(made.labels()), "mlp")
    outputs = part(
        [[1.0, -1.0, -1.0], [-2.0, 1.0, -1.0], [9.0, -9.0, -9.0], [3.0, 1.0, -1.0]],
        [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
    )
    assert choose_mistakes(content, outputs) == [3, 1]


def test_the_values_that_are_off_the_most_come_first():
    """Outputs are standardised by the mean 30 and the deviation 11, true values are not."""
    content = made.content_of(made.table(made.value()), "mlp")
    outputs = part([[0.0], [1.0], [-1.0]], [30.5, 61.0, 11.0])
    assert choose_mistakes(content, outputs) == [1, 2, 0]


def test_of_each_class_three_are_shown_that_are_predicted_rightly():
    content = made.content_of(made.table(), "mlp")
    cat, dog = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]
    chosen = choose_shown(content, part([cat, dog, cat, cat, dog, cat], [0, 0, 0, 0, 1, 0]))
    assert chosen.groups == {"cat": [0, 2, 3], "dog": [4]}
    assert chosen.targets == {0: 0, 2: 0, 3: 0, 4: 1}
    assert chosen.places == [0, 2, 3, 4]


def test_values_of_all_sizes_are_shown_from_small_to_large():
    content = made.content_of(made.table(made.value()), "mlp")
    outputs = [[float(i * 7 % 11)] for i in range(11)]
    (places,) = choose_shown(content, part(outputs, [0.0] * 11)).groups.values()
    assert [outputs[i][0] for i in places] == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
