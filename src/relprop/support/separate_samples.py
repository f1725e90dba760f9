"""Tells whether a function of a batch mixes its samples: whether one changes what comes of another.

Takes a function from a batch to one number per sample, which may hold data of these very samples,
such as their labels. Must not know what is computed.

batch   (n, ...), what the function was called with
result  (n,), what it returned
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

PerSample = Callable[[Tensor], Tensor]


def same_alone(function: PerSample, batch: Tensor, result: Tensor) -> bool:
    """Tell whether a function returns the same of the first and of the last sample alone.

    It is quick, whatever the size of the batch. False may mean that the function takes all samples
    at once: then look closer.
    """
    ends = (slice(0, 1), slice(len(batch) - 1, None))
    return len(batch) < 2 or all(_returns(function, batch[i], result[i]) for i in ends)


def mixes_values(function: PerSample, batch: Tensor, result: Tensor) -> bool:
    """Tell whether results change when every other sample does. It costs two calls.

    Finds what has no gradient, too, such as a class chosen by the mean over the batch. False if the
    function cannot take other numbers, or draws random ones.
    """
    for changed in (0, 1):
        kept, others = slice(1 - changed, None, 2), batch.detach().clone()
        others[changed::2] *= -8  # turns signs, and which number is the largest
        if _returns(function, others, result[kept], kept) is False:
            return _returns(function, batch, result[kept], kept) is True
    return False


def mixes_gradients(batch: Tensor, result: Tensor, gradient: Tensor) -> bool:
    """Tell whether some result has a derivative by another sample. It costs one backward pass.

    With a power of two as the weight of each result, the gradient of a sample is that power times
    what it was without weights, to the last bit, if its own result alone depends on it.

    Args:
        batch: A leaf of the result's autograd graph, which is freed.
        result: What the function returned.
        gradient: That of the sum of results by the batch, of its shape.
    """
    powers = 2.0 ** (torch.arange(len(result), device=result.device) % 7)
    (weighted,) = torch.autograd.grad(result, batch, powers.to(result.dtype))
    powers = powers.to(gradient.dtype)
    by_sample = powers.reshape(-1, *[1] * (gradient.ndim - 1))
    difference = _largest(torch.addcmul(weighted, gradient, by_sample, value=-1))
    return bool((difference > _precision(gradient) * powers * _largest(gradient)).any())


def _returns(
    function: PerSample, batch: Tensor, wanted: Tensor, kept: slice = slice(None)
) -> bool | None:
    """Tell whether a function returns these numbers at some samples; None if it fails."""
    try:
        with torch.no_grad():
            got = function(batch.detach().clone())[kept]  # it may overwrite its argument
        if got.shape != wanted.shape:
            return None
        limit = _precision(wanted) * wanted.detach().abs().nan_to_num(0, 0, 0).amax().item()
        return torch.allclose(got, wanted, rtol=0, atol=limit, equal_nan=True)
    except Exception:  # whatever a function of the user's raises on other samples than its own
        return None


def _precision(values: Tensor) -> float:
    """Return half of the digits that a dtype holds, as a fraction."""
    return math.sqrt(torch.finfo(values.dtype).eps)


def _largest(values: Tensor) -> Tensor:
    """Return the largest size of each sample's values, (n,)."""
    largest: Tensor = torch.linalg.vector_norm(values.reshape(len(values), -1), math.inf, dim=1)
    return largest
