"""Two samples mixed: the most relevant regions of one pasted into the other.

Takes a model that is being trained, a batch and its labels. Gives mixed samples, and labels as
probabilities. Must not know the training loop.

n  samples    m  mixed samples    g  blocks of a sample    k  classes
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import InputError
from ...recipes.recipe import Recipe
from ...support.checks import require_classes
from .blocks import Blocks, choose_blocks, choose_samples
from .drop import check_block
from .in_training import TrainingExplainer, check_batch, check_fraction


class RelevanceMix:
    """Paste the most relevant blocks of one sample into another, and mix the labels by relevance.

    Of a pair (i, j), round(share g) blocks of j replace those of i at the same places: the ones
    whose relevance for j's true class ranks highest, mixed with chance as `RelevanceDrop` does.
    What is left of i is the share s_i of its positive relevance that its other blocks hold, and
    what came of j is the share s_j that the pasted blocks hold. The labels are

        s_i / (s_i + s_j) of i's class        s_j / (s_i + s_j) of j's class

    Where a sample has no positive relevance, its share of the blocks counts in place of that of
    relevance. Costs, model and random numbers are as for `RelevanceDrop`.

    Args:
        classes: How many classes there are, k.
        share: Which share of a sample's blocks is pasted, above 0 and below 1.
        block: Side of a block, as for `RelevanceDrop`.
        probability: Which share of the samples of a batch is mixed, above 0 to 1; each of them gets
            another one of them as partner.
        randomness: 0: exactly the most relevant blocks of j; 1: any.
        recipe: A `Recipe` or the name of a preset.

    Raises:
        InputError: An argument is wrong.

    Example:
        >>> import torch
        >>> from relprop.use import RelevanceMix
        >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
        >>> x, y = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])
        >>> mixed, labels = RelevanceMix(classes=3, block=4)(model, x, y)
        >>> torch.nn.functional.cross_entropy(model(mixed), labels).backward()
        >>> labels.shape
        torch.Size([4, 3])

    Source: Park et al. 2022, "Saliency grafting: innocuous attribution-guided mixup with calibrated
    label mixing", arXiv 2112.08796, for regions and labels by attribution; here by relevance.
    """

    def __init__(
        self,
        classes: int,
        share: float = 0.25,
        block: int = 4,
        *,
        probability: float = 0.5,
        randomness: float = 0.3,
        recipe: Recipe | str = "auto",
    ) -> None:
        if not isinstance(classes, int) or isinstance(classes, bool) or classes < 2:
            given = f"classes is {classes!r}"
            raise InputError(given, "a whole number > 1", "write classes=10, the number of outputs")
        check_fraction("share", share)
        check_fraction("probability", probability, one=True)
        check_fraction("randomness", randomness, zero=True, one=True)
        check_block(block)
        self.classes, self.share, self.block = classes, share, block
        self.probability, self.randomness = probability, randomness
        self._explain = TrainingExplainer(recipe)

    def __call__(self, model: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mix samples of a batch in pairs.

        Args:
            model: The model in training, in any mode; its output is (n, classes).
            x: The batch, (n, d) or (n, c, *places).
            y: True class of each sample, (n,).

        Returns:
            The mixed batch, of x's shape, and labels (n, k) that sum to 1 in each row, as
            `torch.nn.functional.cross_entropy` takes them. Without a pair, as in a batch of one,
            these are x and its own classes.

        Raises:
            InputError: An argument does not fit.
            RelpropError: The model cannot be captured or explained, or its output is not finite.
        """
        check_batch(x, y, self.classes)
        blocks = Blocks.of(x.shape, self.block)
        number = blocks.number_of(self.share)
        own = choose_samples(len(x), self.probability, x.device)  # (m,)
        labels = F.one_hot(y.long(), self.classes).to(x.dtype)  # (n, k)
        if len(own) < 2:
            return x.clone(), labels
        explained = self._explain(model, x.detach()[own], y[own])
        self._check_outputs(explained.output)
        sums = blocks.sums(explained.relevance)  # (m, g)
        pasted = choose_blocks(sums.roll(1, 0), number, self.randomness)
        partner = own.roll(1)
        pictures = torch.where(blocks.entries(pasted), x[partner], x[own])
        weight = partner_weight(sums, sums.roll(1, 0), pasted)[:, None].to(x.dtype)  # (m, 1)
        mixed = torch.lerp(labels[own], labels[partner], weight)
        return x.index_copy(0, own, pictures), labels.index_copy(0, own, mixed)

    def _check_outputs(self, output: Tensor) -> None:
        require_classes(output, "a model whose output is", "mix samples for a classifier")
        if output.shape[1] != self.classes:
            given = f"classes is {self.classes}, of a model with {output.shape[1]} outputs"
            todo = f"write classes={output.shape[1]}"
            raise InputError(given, "as many as outputs", todo)


def partner_weight(own: Tensor, partner: Tensor, pasted: Tensor) -> Tensor:
    """Return the weight of the partner's label, s_j / (s_i + s_j), (m,).

    Args:
        own: Relevance of the blocks of each sample i, (m, g).
        partner: That of its partner j, (m, g).
        pasted: Which blocks are j's, booleans (m, g).
    """
    kept, came = _held(own, ~pasted), _held(partner, pasted)
    total = kept + came
    area = pasted.to(own.dtype).mean(1)
    return torch.where(total > 0, came / total.where(total > 0, 1), area)


def _held(relevance: Tensor, chosen: Tensor) -> Tensor:
    """Return which share of a sample's positive relevance chosen blocks hold, (m,)."""
    positive = relevance.clamp(min=0)
    total = positive.sum(1)
    area = chosen.to(relevance.dtype).mean(1)
    held = (positive * chosen).sum(1) / total.where(total > 0, 1)
    return torch.where(total > 0, held, area)
