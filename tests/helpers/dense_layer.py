"""A dense layer as `rules.executor` takes it, and what a rule gives by its reference matrix."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.networks import signed
from helpers.reference_rules import Affine
from relprop.rules.backward import Form
from relprop.rules.linear_maps import Dense
from relprop.rules.lowered_layer import LoweredLayer, RunLayer
from relprop.rules.weights import Weights


def dense_layer(
    x: Tensor | None = None,
    *,
    arriving: Form = Form.PER_UNIT,
    nonnegative: bool = False,
    rectified: bool = False,
) -> LoweredLayer:
    """Build a layer of 6 inputs and 5 outputs, with a bias; x is (3, 6)."""
    x = signed(3, 6) if x is None else x
    weights = Weights(signed(5, 6, seed=2), signed(5, seed=3))
    return LoweredLayer(
        nonnegative=nonnegative,
        rectified=rectified,
        relu=False,
        keeps_sign=False,
        arriving=arriving,
        sample_dims=(1,),
        read=lambda values: (x, Dense(), weights),
        activate=None,
    )


def assert_runs_by(
    shares: Callable[[Affine], Tensor],
    run: RunLayer,
    layer: LoweredLayer,
    gives: Form = Form.PER_UNIT,
) -> None:
    """Compare relevance of x, and all that is absorbed, with a reference (inputs, outputs)."""
    x, _, weights = layer.read({})
    z, back = run({})
    torch.testing.assert_close(z, x @ weights.raw.T + weights.bias)
    v = signed(*z.shape, seed=4)
    arriving = v if layer.arriving is Form.RELEVANCE else v * z
    samples = [Affine(row, weights.raw, weights.bias, torch.ones_like(weights.raw)) for row in x]
    matrices = torch.stack([shares(sample) for sample in samples])  # (batch, inputs, outputs)
    want = (matrices * arriving[:, None]).sum(2)
    unit = 1.0 if gives is Form.RELEVANCE else x
    torch.testing.assert_close(back.pull(v) * unit, want, rtol=1e-12, atol=1e-12)
    absorbed = sum(back.absorbed(v).values())
    left = arriving.sum(1) - want.sum(1)
    torch.testing.assert_close(absorbed.sum(1), left, rtol=1e-10, atol=1e-10)
    back.release()
    last = (back.in_place or back.pull)(v.clone())
    torch.testing.assert_close(last * unit, want, rtol=1e-12, atol=1e-12)
