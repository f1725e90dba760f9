"""Lets a program import torchvision beside a torch that it was not built for: see `conftest.py`.

Python imports this at its start where the folder is in PYTHONPATH.
"""

import sys


class BesideTorchvision:
    """Declares two operators just before torchvision is imported, if its own library is missing."""

    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            declare()


def declare():
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    sys.torchvision_operators = library  # declarations end with this object


sys.meta_path.insert(0, BesideTorchvision())
