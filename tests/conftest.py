"""Lets torchvision be imported beside a torch that it was not built for, and tests run on a GPU.

Zennit and Lightning import it. Built for CUDA, it lacks two operators beside a CPU-only torch. Both
want class names only, so two declarations without code are enough.

    python -m pytest --device cuda tests/rules

makes the models and inputs of tests there, where a test does not say otherwise. Each module and
each test has random numbers of its own: what one draws does not depend on which others ran before,
but for a fixture that several share, which draws those of the first that asks for it.
"""

from zlib import crc32

import torch
from helpers.sweeps import mark_slow_cases

try:
    import torchvision  # noqa: F401
except RuntimeError:
    OPERATORS = torch.library.Library("torchvision", "DEF")  # declarations end with this object
    for name in ("nms", "qnms"):
        OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def pytest_addoption(parser):
    parser.addoption("--device", help="where tensors and models are made that tests make")


def pytest_configure(config):
    torch.set_default_device(config.getoption("--device"))


def pytest_collectstart(collector):
    torch.manual_seed(crc32(collector.nodeid.encode()))


def pytest_runtest_setup(item):
    torch.manual_seed(crc32(item.nodeid.encode()))


def pytest_collection_modifyitems(items):
    mark_slow_cases(items)
