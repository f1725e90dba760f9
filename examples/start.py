"""Two digits, their relevance, and both in one.

python examples/start.py [FOLDER]    # writes start.png
"""

import sys
from pathlib import Path

import relprop
from relprop.data import packaged_digits

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
digits = packaged_digits()
places = [int((digits.labels == digit).nonzero()[2]) for digit in (4, 7)]

e = relprop.explain(relprop.load_model("mnist-cnn"), digits.images[places])
e.plot(panels=["input", "relevance", "overlay"]).savefig(folder / "start.png")
