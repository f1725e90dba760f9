"""Fills by a constant, or by statistics and samples of data.

Takes the batch, or other data. Gives fills; `base.py` says what a fill is. Must not know the model.

n  samples      m  samples of the data      features  of one sample; (c, h, w) for images
"""

import torch
from torch import Generator, Tensor

from ...errors import InputError
from .base import Fill


def constant(value: float, name: str | None = None) -> Fill:
    """Replace by one number: 0, or the id of a mask token.

    Args:
        value: The number. An input of whole numbers takes only whole numbers.
        name: Name of the fill; None: the number.

    Returns:
        The fill.

    Example:
        >>> from relprop.evaluate import remove_units
        >>> x = torch.tensor([[3.0, 5.0]])
        >>> remove_units(x, x, 0.5, fill=constant(-1)).tolist()
        [[3.0, -1.0]]
    """

    def values(x: Tensor, removed: Tensor, generator: Generator) -> Tensor:
        # float64 for 0.5 of token ids: an error follows, instead of a silent 0
        fits = x.is_floating_point() or float(value).is_integer()
        return torch.full_like(x, value, dtype=x.dtype if fits else torch.float64)

    return Fill(name or f"{value:g}", values)


def baseline(values: Tensor) -> Fill:
    """Replace by the entries of a reference input, as Captum and Quantus call a baseline.

    Args:
        values: One baseline for all samples, (*features), or one for each, (n, *features).

    Returns:
        The fill.

    Example:
        >>> from relprop.evaluate import remove_units
        >>> x = torch.tensor([[3.0, 5.0], [4.0, 2.0]])
        >>> remove_units(x, x, 0.5, fill=baseline(torch.tensor([0.5, 0.25]))).tolist()
        [[3.0, 0.25], [0.5, 2.0]]
    """

    def expanded(x: Tensor, removed: Tensor, generator: Generator) -> Tensor:
        on_device = values.to(x.device)
        return on_device.expand_as(x) if on_device.shape == x.shape[1:] else on_device

    return Fill("baseline", expanded)


def mean(data: Tensor | None = None) -> Fill:
    """Replace by the mean of each channel of images, of each column of anything else.

    The mean image instead is `baseline(data.mean(0))`.

    Args:
        data: Samples to take the mean over, (m, *features); None: the batch itself.

    Returns:
        The fill.

    Example:
        >>> from relprop.evaluate import remove_units
        >>> x = torch.tensor([[3.0, 5.0], [4.0, 2.0]])
        >>> remove_units(x, x, 0.5, fill=mean()).tolist()
        [[3.0, 3.5], [3.5, 2.0]]
    """

    def values(x: Tensor, removed: Tensor, generator: Generator) -> Tensor:
        return _floating(x, data).mean(_statistic_dims(x), keepdim=True).expand_as(x)

    return Fill("mean", values)


def sample_mean() -> Fill:
    """Replace by each sample's own mean: of each channel of an image, of all entries otherwise.

    Returns:
        The fill.

    Example:
        >>> from relprop.evaluate import remove_units
        >>> x = torch.tensor([[3.0, 5.0]])
        >>> remove_units(x, x, 0.5, fill=sample_mean()).tolist()
        [[3.0, 4.0]]
    """

    def values(x: Tensor, removed: Tensor, generator: Generator) -> Tensor:
        dims = (2, 3) if x.ndim == 4 else tuple(range(1, x.ndim))
        return _floating(x).mean(dims, keepdim=True).expand_as(x)

    return Fill("sample-mean", values)


def mode(data: Tensor | None = None) -> Fill:
    """Replace by the most frequent value of each column, also of whole numbers.

    For tables with both categories and measurements use
    `baseline(torch.where(categorical, data.mode(0).values, data.mean(0)))`.

    Args:
        data: Samples to take the mode over, (m, *features); None: the batch itself.

    Returns:
        The fill.

    Example:
        >>> from relprop.evaluate import remove_units
        >>> x = torch.tensor([[1, 9], [1, 7], [4, 7]])
        >>> remove_units(x, x.float(), 0.5, fill=mode()).tolist()
        [[1, 7], [1, 7], [4, 7]]
    """

    def values(x: Tensor, removed: Tensor, generator: Generator) -> Tensor:
        return _data_or_batch(x, data).mode(0).values.expand_as(x)

    return Fill("mode", values)


def uniform(data: Tensor | None = None) -> Fill:
    """Replace by uniform noise between least and greatest value of each channel or column.

    Args:
        data: Samples to take the range over, (m, *features); None: the batch itself.

    Returns:
        The fill.

    Example:
        >>> from relprop.evaluate import remove_units
        >>> x = torch.tensor([[3.0, 5.0], [4.0, 2.0]])
        >>> filled = remove_units(x, x, 1.0, fill=uniform())
        >>> bool((filled >= x.amin(0)).all() and (filled <= x.amax(0)).all())
        True
    """

    def values(x: Tensor, removed: Tensor, generator: Generator) -> Tensor:
        samples, dims = _floating(x, data), _statistic_dims(x)
        low, high = samples.amin(dims, keepdim=True), samples.amax(dims, keepdim=True)
        noise = torch.rand(x.shape, generator=generator, dtype=samples.dtype).to(x.device)
        return low + (high - low) * noise

    return Fill("uniform", values)


def gaussian(data: Tensor | None = None) -> Fill:
    """Replace by Gaussian noise with mean and standard deviation of each channel or column.

    Args:
        data: Samples to take both over, (m, *features); None: the batch itself.

    Returns:
        The fill.

    Example:
        >>> from relprop.evaluate import remove_units
        >>> x = torch.tensor([[3.0, 5.0], [3.0, 2.0]])
        >>> remove_units(x, x, 1.0, fill=gaussian())[:, 0].tolist()  # a column without deviation
        [3.0, 3.0]
    """

    def values(x: Tensor, removed: Tensor, generator: Generator) -> Tensor:
        samples, dims = _floating(x, data), _statistic_dims(x)
        centre = samples.mean(dims, keepdim=True)
        deviation = samples.std(dims, correction=0, keepdim=True)
        noise = torch.randn(x.shape, generator=generator, dtype=samples.dtype).to(x.device)
        return centre + deviation * noise

    return Fill("gaussian", values)


def marginal(data: Tensor | None = None) -> Fill:
    """Replace by the entries of another sample, drawn at random for each sample.

    Removed entries then follow their marginal distribution, as with SHAP's Independent masker or
    SAGE's MarginalImputer, which average over many draws: they fit each other, but not what is
    left of the sample.

    Args:
        data: Samples to draw from, (m, *features); None: the other samples of the batch.

    Returns:
        The fill.

    Raises:
        InputError: When the fill is used, a single sample without data.

    Example:
        >>> from relprop.evaluate import remove_units
        >>> x = torch.tensor([[3.0, 5.0], [4.0, 2.0]])
        >>> remove_units(x, x, 0.5, fill=marginal()).tolist()
        [[3.0, 2.0], [3.0, 2.0]]
    """

    def values(x: Tensor, removed: Tensor, generator: Generator) -> Tensor:
        n = len(x)
        samples = _data_or_batch(x, data)
        if data is not None:
            drawn = torch.randint(len(data), (n,), generator=generator)
            return samples[drawn.to(x.device)]
        if n < 2:
            todo = "pass others: fill=relprop.evaluate.marginal(data)"
            raise InputError('fill="marginal" for a single sample', "two samples or more", todo)
        offset = torch.randint(1, n, (n,), generator=generator)  # so that none is drawn for itself
        return x[((torch.arange(n) + offset) % n).to(x.device)]

    return Fill("marginal", values)


def _statistic_dims(x: Tensor) -> tuple[int, ...]:
    """Return the dimensions that a channel of images, or a column of all else, extends over."""
    return (0, 2, 3) if x.ndim == 4 else (0,)


def _data_or_batch(x: Tensor, data: Tensor | None) -> Tensor:
    if data is None:
        return x
    if data.shape[1:] != x.shape[1:] or len(data) == 0:
        raise InputError(
            f"data of shape {tuple(data.shape)} for a fill of x of shape {tuple(x.shape)}",
            f"samples like those of x: (m, {', '.join(map(str, x.shape[1:]))})",
            "pass other samples of the same data set",
        )
    return data.to(x.device)


def _floating(x: Tensor, data: Tensor | None = None) -> Tensor:
    """Return the data, or the batch, in a dtype that has a mean."""
    samples = _data_or_batch(x, data)
    return samples if samples.is_floating_point() else samples.double()
