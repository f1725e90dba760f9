"""A linear network over the n-grams of a text, scaled by naive-Bayes weights.

Takes ids (n, tokens) of the n-grams that occur in a text, each once. Gives scores (n, outputs).
Source: Wang and Manning 2012 (NBSVM). Must not know texts or training.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .family import Facts, Settings


class Ngrams(nn.Module):
    """The sum of one number for each n-gram of the text and output.

    Attributes:
        weight: What is learned of an n-gram, (vocabulary, outputs).
        ratio: How much more often it occurs with the output than without, as a logarithm, of the
            training samples; 0 for padding, (vocabulary, outputs).
    """

    def __init__(self, settings: Settings, facts: Facts) -> None:
        super().__init__()
        size = facts.vocabulary, facts.outputs
        self.task = facts.task
        self.weight = nn.Parameter(torch.full(size, float(settings["strength"])))
        self.bias = nn.Parameter(torch.zeros(facts.outputs))
        self.ratio: Tensor
        self.register_buffer("ratio", torch.zeros(size))

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids (n, tokens) to (n, outputs)."""
        found: Tensor = F.embedding(ids, self.weight * self.ratio)  # (n, tokens, outputs)
        return found.sum(1) + self.bias

    @torch.no_grad()
    def start(self, inputs: Tensor, targets: Tensor) -> None:
        """Set the ratios from the training samples.

        Args:
            inputs: Ids, (n, tokens).
            targets: Class numbers (n,), labels (n, outputs), or standardised values (n, 1).
        """
        if self.task == "classes":
            targets = F.one_hot(targets, len(self.bias))
        if self.task == "value":
            count = self._sums(inputs, torch.ones_like(targets))
            ratio = self._sums(inputs, targets) / (1 + count)
        else:
            ratio = self._log_shares(inputs, targets) - self._log_shares(inputs, 1 - targets)
        ratio[0] = 0
        self.ratio.copy_(ratio)

    def _log_shares(self, inputs: Tensor, of: Tensor) -> Tensor:
        """Return the logarithm of each n-gram's share of all that occur in some texts."""
        count = 1 + self._sums(inputs, of)  # one more, so that none is 0
        return count.log() - count[1:].sum(0).log()

    def _sums(self, inputs: Tensor, of: Tensor) -> Tensor:
        """Sum (n, outputs) over the texts in which an n-gram occurs, (vocabulary, outputs)."""
        occurs = inputs != 0
        rows = occurs.nonzero()[:, 0]
        return torch.zeros_like(self.ratio).index_add_(0, inputs[occurs], of.float()[rows])
