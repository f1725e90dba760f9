"""Inputs as people have them: pictures, tables and texts, made to what a model takes.

Takes files, PIL pictures, arrays and frames. Gives tensors. Must not know models or explanations.
"""

from .pictures import Pictures, read_picture
from .sources import from_timm, from_torchvision, from_transformers

__all__ = ["Pictures", "from_timm", "from_torchvision", "from_transformers", "read_picture"]
