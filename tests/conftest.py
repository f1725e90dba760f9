"""Lets torchvision be imported beside a torch that it was not built for.

Zennit and Lightning import it. Built for CUDA, it lacks two operators beside a CPU-only torch. Both
want class names only, so two declarations without code are enough.
"""

import torch

try:
    import torchvision  # noqa: F401
except RuntimeError:
    OPERATORS = torch.library.Library("torchvision", "DEF")  # declarations end with this object
    for name in ("nms", "qnms"):
        OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
