"""The packaged digits: balanced, and training digits."""

from helpers.real_data import FOLDER, needs_mnist

from relprop.data import load_digits, packaged_digits


def test_any_first_part_of_the_packaged_digits_is_balanced():
    assert packaged_digits().labels[:1000].bincount().tolist() == [100] * 10


@needs_mnist
def test_the_packaged_digits_are_training_digits():
    digits, train = packaged_digits(), load_digits("train", FOLDER)
    label_of = {
        image.numpy().tobytes(): int(label)
        for image, label in zip(train.images, train.labels, strict=True)
    }
    found = [label_of.get(image.numpy().tobytes()) for image in digits.images]
    assert found == digits.labels.tolist()
