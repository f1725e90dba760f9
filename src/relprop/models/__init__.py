"""Classifiers of digits and clothes: the shipped ones, and saving and loading of others.

`load_model` loads a shipped or saved model, `save_model` saves one as weights and a `ModelCard`,
`model_card` reads the card alone, and `shipped_models` lists the names that come with the package
(their files are in the folder `SHIPPED`).
"""

from .card import ModelCard
from .checkpoint import SHIPPED, load_model, model_card, save_model, shipped_models

__all__ = ["SHIPPED", "ModelCard", "load_model", "model_card", "save_model", "shipped_models"]
