"""Tests the relevance of a bundle on samples of its test part, for docs/any-dataset.md."""

import numpy as np
import torch

from relprop.bundle_report.removal import measure_removal
from relprop.bundle_report.write import open_data
from relprop.bundles.bundle import Bundle
from relprop.errors import FileError
from relprop.evaluate.removal.removal_curve import RemovalCurve

SAMPLES = 64


def check_relevance(bundle: Bundle) -> tuple[float, list[float]]:
    """Explain up to 64 test samples, evenly spaced, and remove what is relevant.

    Returns:
        Largest imbalance of the ledger, as a share of the score; and of each sample the mean
        distance of the removal curve of a random order from that of the most relevant first.
    """
    dataset = open_data(bundle, None)
    if dataset is None:
        raise FileError(
            f"the data of the bundle, {bundle.content.source}, is gone", "its files", "run again"
        )
    rows = bundle.content.outputs["test"].rows.numpy()
    chosen = rows[np.linspace(0, len(rows) - 1, min(SAMPLES, len(rows))).round().astype(int)]
    x = bundle.prepare_samples(dataset.take(chosen))
    imbalance = float(bundle.explainer(x[:8], ledger=True).ledgers[0].error)
    curves = measure_removal(bundle, x)["LRP"]
    return imbalance, (_area(curves.random) - _area(curves.morf)).tolist()


def _area(curve: RemovalCurve) -> torch.Tensor:
    """Return the area under each sample's curve, (n,), by trapezoids over the share removed."""
    shares = curve.shares.double().expand_as(curve.scores)
    return torch.trapezoid(curve.scores.double(), shares, dim=1)
