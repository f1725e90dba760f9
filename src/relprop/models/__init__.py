"""Classifiers that ship with the package: load, save, describe, and train them."""

from .checkpoint import SHIPPED, ModelCard, load_model, model_card, save_model, shipped_models

__all__ = ["SHIPPED", "ModelCard", "load_model", "model_card", "save_model", "shipped_models"]
