"""Where tests find the real MNIST files: RELPROP_DATA, or shared/data beside the checkout."""

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
FOLDER = Path(os.environ.get("RELPROP_DATA") or BESIDE)

needs_mnist = pytest.mark.skipif(
    not (FOLDER / "mnist").is_dir(),
    reason=f"no real MNIST in {FOLDER}; set RELPROP_DATA to a folder that holds mnist/",
)
