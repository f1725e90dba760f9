"""The statistics of BatchNorm, computed again on samples as they are.

Noise that is added in training changes what filters answer, and so the means and variances that
BatchNorm collects: without noise the network would see other numbers than it learned from. Takes a
network and its training samples. Must not know time or losses.
"""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

MOST = 512  # samples, evenly spaced, are enough for means and variances
_BATCH = 64


def renew_statistics(network: nn.Module, inputs: Tensor) -> None:
    """Set the statistics of all BatchNorm layers to those of unchanged training samples.

    Args:
        network: The network; its mode stays as it is.
        inputs: All training samples, (n, ...).
    """
    rows = torch.linspace(0, len(inputs) - 1, min(len(inputs), MOST), device=inputs.device).long()
    batches = len(rows) // _BATCH or 1  # of about one size: each counts alike in the mean
    with torch.random.fork_rng():  # dropout draws, and shall not change the training
        update_bn([inputs[some] for some in rows.tensor_split(batches)], network)
