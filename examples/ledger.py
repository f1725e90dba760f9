"""Where relevance goes, layer by layer: passed on, or absorbed by biases and stabilisers.

python examples/ledger.py [FOLDER]    # writes ledger.png
"""

import sys
from pathlib import Path

import relprop
from relprop.data import packaged_digits

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
recipe = relprop.Recipe.preset("epsilon", epsilon=0.1, relative=True)
explainer = relprop.Explainer(relprop.load_model("mnist-cnn"), recipe)
e = explainer(packaged_digits().images[:100], ledger=True)
print(e.ledger)
e.ledger.plot().savefig(folder / "ledger.png")
