"""Do pictures keep their class when they are mirrored? Made pictures, and real ones."""

import numpy as np
import pytest
from helpers.real_data import FOLDER, needs_mnist

from relprop.data import load_digits
from relprop.data.dataset import DataTarget
from relprop.prepare.mirroring import keep_class_when_mirrored

CLASSES = np.arange(200) % 2


def bars(at):
    """Noise with a bright bar at a column that the class and chance decide."""
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 60, (200, 8, 10, 1)).astype(np.uint8)
    for number, kind in enumerate(CLASSES):
        pictures[number, :, at(kind, generator), 0] += 150
    return pictures


def target(values=CLASSES, task="classes"):
    names = ("a",) if task == "value" else ("a", "b")
    return DataTarget(task, names, values)


def left_or_right(kind, generator):
    return generator.integers(0, 3) + 7 * kind


def middle_or_border(kind, generator):
    return generator.integers(4, 6) if kind else generator.choice([0, 1, 8, 9])


def test_a_class_that_is_a_side_is_not_kept():
    assert not keep_class_when_mirrored(bars(left_or_right), target())


def test_a_class_that_is_a_distance_from_the_middle_is_kept():
    assert keep_class_when_mirrored(bars(middle_or_border), target())


def test_combinations_of_labels_are_classes():
    labels = np.stack([CLASSES, 1 - CLASSES], 1).astype(np.float32)
    assert keep_class_when_mirrored(bars(middle_or_border), target(labels, "labels"))
    assert not keep_class_when_mirrored(bars(left_or_right), target(labels, "labels"))


def test_a_value_may_change_its_sign():
    values = CLASSES.astype(np.float64)
    assert not keep_class_when_mirrored(bars(middle_or_border), target(values, "value"))


def test_a_few_pictures_say_nothing():
    assert not keep_class_when_mirrored(bars(middle_or_border)[:19], target(CLASSES[:19]))


def test_classes_of_which_pictures_say_nothing_are_not_said_to_be_kept():
    assert not keep_class_when_mirrored(np.zeros((200, 8, 8, 3), np.uint8), target())


def test_symmetric_noise_tells_nothing_though_each_picture_is_its_mirror_image():
    half = np.random.default_rng(0).integers(0, 256, (200, 8, 5, 1)).astype(np.uint8)
    assert not keep_class_when_mirrored(np.concatenate([half, half[:, :, ::-1]], 2), target())


@needs_mnist
@pytest.mark.parametrize(("family", "kept"), [("mnist", False), ("fashion-mnist", True)])
def test_digits_become_others_and_clothes_do_not(family, kept):
    digits = load_digits("test", FOLDER, family)
    pictures = (digits.images * 255).round().byte().permute(0, 2, 3, 1).numpy()
    names = tuple("0123456789")
    assert (
        keep_class_when_mirrored(pictures, DataTarget("classes", names, digits.labels.numpy()))
        is kept
    )
