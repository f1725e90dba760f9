"""Networks for series that read them as a sequence: a GRU, and a small transformer.

Gives modules that map (n, channels, time) to scores (n, outputs). Must not know data or training.
"""

from torch import Tensor, nn

from .family import Facts, Settings
from .sequences import Body, GatedRecurrence, SelfAttention, masked_mean
from .series_inputs import channels, split_mask

# Longer series go in patches: a recurrence takes its steps one after the other, also when it is
# explained, and attention costs the square of them.
MOST_STEPS = 64


class SequenceNetwork(nn.Module):
    """Patches of the series as features, a body over them, the mean, and a linear layer."""

    def __init__(self, body: Body, facts: Facts, width: int, dropout: float, patch: int) -> None:
        super().__init__()
        self.masked, self.patch = facts.masked, patch
        self.embed = nn.Conv1d(channels(facts), width, patch, patch)
        self.body = body
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, facts.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, time) to (n, outputs)."""
        x, present = split_mask(x, self.masked)
        whole = nn.functional.pad(x, (0, -x.shape[2] % self.patch))
        h = self.embed(whole).transpose(1, 2)  # (n, steps, width)
        present = present[:, 0, :: self.patch]  # (n, steps)
        mean = masked_mean(self.body(h, present), present)
        return self.head(self.dropout(mean))  # type: ignore[no-any-return]


def gru(settings: Settings, facts: Facts) -> nn.Module:
    """Build a GRU over patches of the series, as short as `MOST_STEPS` lets them be."""
    width, dropout = int(settings["width"]), float(settings["dropout"])
    body = GatedRecurrence(width, int(settings["depth"]), dropout)
    return SequenceNetwork(body, facts, width, dropout, _patch(facts))


def transformer(settings: Settings, facts: Facts) -> nn.Module:
    """Build a transformer over patches of the series, as short as `MOST_STEPS` lets them be."""
    width, dropout = int(settings["width"]), float(settings["dropout"])
    patch = _patch(facts)
    steps = -(-facts.shape[1] // patch)
    body = SelfAttention(width, int(settings["depth"]), dropout, steps)
    return SequenceNetwork(body, facts, width, dropout, patch)


def _patch(facts: Facts) -> int:
    """Return how many steps go together."""
    return -(-facts.shape[1] // MOST_STEPS)
