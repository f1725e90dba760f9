"""Idx files, written from the format's description."""

import struct

import numpy as np


def idx(array, kind=0x08):
    """The bytes of an idx file: of unsigned bytes, unless its header is to say another kind."""
    header = bytes((0, 0, kind, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_digits(folder, digits):
    """Digits as the two plain files of a test split, in a folder that is made."""
    folder.mkdir(parents=True)
    images = (digits.images[:, 0] * 255).round().numpy()
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(images))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(digits.labels.numpy()))
