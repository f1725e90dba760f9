"""Networks for texts from scratch: convolutions over words, a GRU, and a small transformer.

Takes token ids (n, tokens), 0 for padding. Gives scores (n, outputs). Must not know data or
training. Source of the first: Kim 2014.
"""

import torch
from torch import Tensor, nn

from .family import Facts, Settings
from .sequences import Body, GatedRecurrence, SelfAttention, masked_mean

WINDOWS = (1, 3, 5)  # words that a filter of `TextCNN` sees


class _Words(nn.Module):
    """Looks up token ids, of which some may be hidden in training."""

    def __init__(self, facts: Facts, width: int, hidden: float) -> None:
        super().__init__()
        self.vectors = nn.Embedding(facts.vocabulary, width, padding_idx=0)
        self.dropout = nn.Dropout(hidden)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return vectors (n, tokens, width), and which tokens are no padding."""
        return self.dropout(self.vectors(ids)), ids != 0


class TextCNN(nn.Module):
    """The maximum over the text of what filters of several widths find."""

    def __init__(self, settings: Settings, facts: Facts) -> None:
        super().__init__()
        width, dropout = int(settings["width"]), float(settings["dropout"])
        self.words = _Words(facts, width, dropout)
        self.filters = nn.ModuleList(
            nn.Conv1d(width, width, window, padding="same") for window in WINDOWS
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width * len(WINDOWS), facts.outputs)

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids (n, tokens) to (n, outputs)."""
        h, present = self.words(ids)
        h, absent = h.transpose(1, 2), ~present[:, None]
        found = [f(h).relu().masked_fill(absent, 0.0).amax(2) for f in self.filters]
        return self.head(self.dropout(torch.cat(found, 1)))  # type: ignore[no-any-return]


class SequenceClassifier(nn.Module):
    """Vectors of the tokens, a body over them, the mean, and a linear layer."""

    def __init__(self, body: Body, settings: Settings, facts: Facts) -> None:
        super().__init__()
        width, dropout = int(settings["width"]), float(settings["dropout"])
        self.words = _Words(facts, width, dropout)
        self.body = body
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, facts.outputs)

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids (n, tokens) to (n, outputs)."""
        h, present = self.words(ids)
        mean = masked_mean(self.body(h, present), present)
        return self.head(self.dropout(mean))  # type: ignore[no-any-return]


def text_gru(settings: Settings, facts: Facts) -> nn.Module:
    """Build a GRU over the tokens."""
    width, dropout = int(settings["width"]), float(settings["dropout"])
    body = GatedRecurrence(width, int(settings["depth"]), dropout)
    return SequenceClassifier(body, settings, facts)


def text_transformer(settings: Settings, facts: Facts) -> nn.Module:
    """Build a transformer over the tokens."""
    width, dropout = int(settings["width"]), float(settings["dropout"])
    body = SelfAttention(width, int(settings["depth"]), dropout, facts.shape[0])
    return SequenceClassifier(body, settings, facts)
