"""A penalty on relevance outside a mask: a model shall be right for the right reasons.

Takes the model that is being trained, a batch, labels, and where relevance is allowed. Gives a
number to add to the loss. Must not know the training loop.

n  samples
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import InputError
from ...recipes.recipe import Recipe
from ...support.checks import require_classes
from .in_training import TrainingExplainer, check_batch


class RelevancePenalty:
    """Punish relevance outside a mask, as that of a watermark, a border or a background.

        loss = cross_entropy(model(x), y) + weight * penalty(x, y, mask)

    The penalty is the share of |relevance| that is outside of the mask, of the mean sample:

        P = 1/n sum_n ( sum_{i not in mask} |R_ni| ) / ( sum_i |R_ni| )

    where R is the relevance of the log-odds of the true class, its score minus the logarithm of the
    sum of exponentials of the others: what a mark takes from other classes counts as what it gives
    to its own. The weights of the classes in this, c = 1 for the true one and minus the softmax
    over the others, are held constant; R is differentiable by the parameters. P is between 0 and
    1, whatever the size of scores and weights, and 0 for a sample without relevance. Relevance is
    computed in eval mode, and running statistics of normalisation layers count as constants. The
    model is left as it was, and no random numbers are drawn.

    A penalised sample costs about four plain ones, since a gradient of relevance is a second
    derivative; an eighth of a batch of 128 will do: `penalty(x[:16], y[:16], mask)`. Its forward
    pass cannot be shared with that of the loss, which is in train mode.

    Args:
        model: The model in training, in any mode; its output is (n, classes).
        recipe: A `Recipe` or the name of a preset. "epsilon" follows all that the
            output depends on; rules that favour positive parts leave others unpunished.

    Raises:
        InputError: An argument is wrong.

    Example:
        >>> import torch
        >>> from relprop.use import RelevancePenalty
        >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
        >>> x, y = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])
        >>> mask = torch.ones(8, 8, dtype=torch.bool)
        >>> mask[:2, :2] = False  # a corner in which no evidence is
        >>> penalty = RelevancePenalty(model)
        >>> loss = torch.nn.functional.cross_entropy(model(x), y) + 3 * penalty(x, y, mask)
        >>> loss.backward()

    Source: Ross et al. 2017, "Right for the right reasons: training differentiable models by
    constraining their explanations", arXiv 1703.03717, section 2, who punish squares of the input
    gradient of the sum of log-probabilities; here it is relevance of the log-odds, and its share.
    """

    def __init__(self, model: nn.Module, recipe: Recipe | str = "epsilon") -> None:
        self.model = model
        self._explain = TrainingExplainer(recipe)

    def __call__(self, x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
        """Compute the penalty of a batch.

        Args:
            x: The batch, (n, ...).
            y: True class of each sample, (n,).
            mask: Booleans, true where relevance is allowed: of x's shape, or of one that is
                broadcast to it, as (height, width) for all pictures, (n, 1, height, width).

        Returns:
            A number from 0 to 1, attached to the parameters.

        Raises:
            InputError: An argument does not fit.
            RelpropError: The model cannot be captured or explained, or its output is not finite.
        """
        check_batch(x, y)
        outside = ~_checked_mask(mask, x)
        relevance = self._explain(self.model, x, _log_odds(y), create_graph=True).relevance
        size = relevance.abs().flatten(1)  # (n, entries)
        total = size.sum(1)
        punished = (size * outside.expand_as(x).flatten(1)).sum(1)
        return (punished / total.where(total > 0, 1)).mean()


def _log_odds(y: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the function that is explained: of an output (m, classes), (m,)."""

    def log_odds(output: Tensor) -> Tensor:
        require_classes(output, "a model whose output is", "penalise a classifier")
        if int(y.max()) >= output.shape[1]:
            count = output.shape[1]
            given = f"class {int(y.max())} of a model with {count} classes"
            raise InputError(given, f"classes from 0 to {count - 1}", f"give 0 to {count - 1}")
        own = F.one_hot(y.long(), output.shape[1]).bool()
        return output[own] - output.masked_fill(own, -math.inf).logsumexp(1)

    return log_odds


def _checked_mask(mask: object, x: Tensor) -> Tensor:
    allowed = f"booleans of shape {tuple(x.shape)}, or of one that is broadcast to it"
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        what = f"{mask.dtype}" if isinstance(mask, Tensor) else f"type {type(mask).__name__}"
        raise InputError(f"a mask of {what}", allowed, "write mask = torch.as_tensor(mask).bool()")
    try:
        fits = mask.expand(x.shape).shape == x.shape
    except RuntimeError:
        fits = False
    if not fits:
        given = f"a mask of shape {tuple(mask.shape)} for a batch of {tuple(x.shape)}"
        between = mask.ndim == x.ndim - 1 and x.ndim > 2 and mask.shape == (len(x), *x.shape[2:])
        todo = "write mask[:, None]" if between else f"write mask of shape {tuple(x.shape[1:])}"
        raise InputError(given, allowed, todo)
    return mask
