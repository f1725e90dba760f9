"""Three digits as idx files of a test split, for tests of reading and downloading."""

import gzip

import numpy as np
import torch

from helpers.idx_files import idx

IMAGES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
PIXELS = np.random.default_rng(0).permutation(3 * 28 * 28).reshape(3, 28, 28) % 256
CLASSES = np.array([7, 0, 9])


def write_three_digits(folder):
    """Write the two gzipped files into a new folder."""
    folder.mkdir(parents=True)
    (folder / IMAGES).write_bytes(gzip.compress(idx(PIXELS)))
    (folder / LABELS).write_bytes(gzip.compress(idx(CLASSES)))


def assert_three_digits(digits):
    assert digits.images.shape == (3, 1, 28, 28)
    assert digits.images.dtype == torch.float32
    assert digits.images[1, 0, 2, 5] == torch.tensor(PIXELS[1, 2, 5] / 255, dtype=torch.float32)
    assert digits.images.max() == 1
    assert digits.labels.tolist() == [7, 0, 9]
    assert digits.labels.dtype == torch.int64
    assert digits.split == "test"
