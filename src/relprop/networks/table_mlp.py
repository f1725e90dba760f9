"""Networks for tables: a multilayer perceptron, and one with residual connections.

Take rows (n, features), give scores (n, outputs). Several members may be trained side by side;
evaluated, their scores are averaged. Must not know preparation or training.

n  samples      m  members      w  width
"""

from collections.abc import Sequence

from torch import Tensor, nn

from ..support.arguments import check_one_of
from .member_layers import MemberHead, MemberLinear

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU}


class TableMLP(nn.Module):
    """Linear layers with activations between them.

    Args:
        features: Features of a row.
        outputs: Scores of a row.
        width: Units of a hidden layer, of each member.
        depth: Hidden layers.
        activation: "relu" or "gelu".
        dropout: Probability with which a hidden unit is dropped in training.
        ensemble: Members.

    Example:
        >>> import torch
        >>> network = TableMLP(5, 3, width=8, depth=2, activation="relu", dropout=0.0, ensemble=4)
        >>> network.train()(torch.zeros(2, 5)).shape, network.eval()(torch.zeros(2, 5)).shape
        (torch.Size([2, 4, 3]), torch.Size([2, 3]))
    """

    def __init__(
        self,
        features: int,
        outputs: int,
        *,
        width: int,
        depth: int,
        activation: str,
        dropout: float,
        ensemble: int,
    ) -> None:
        super().__init__()
        linear = [
            MemberLinear(ensemble, width if number else features, width, shared=not number)
            for number in range(depth)
        ]
        self.hidden = hidden_layers(linear, activation, dropout)
        self.head = MemberHead(ensemble, width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map rows (n, features) to scores (n, outputs); members in training to (n, m, outputs)."""
        scores: Tensor = self.head(self.hidden(x))
        return scores


class ResidualMLP(nn.Module):
    """A linear layer, and blocks that each add to what they take.

    Args:
        features: Features of a row.
        outputs: Scores of a row.
        width: Units of a hidden layer, of each member.
        depth: Blocks.
        normalisation: What a block begins with: "batch", "none".
        activation: "relu" or "gelu".
        dropout: Probability with which a hidden unit of a block is dropped in training.
        ensemble: Members.
    """

    def __init__(
        self,
        features: int,
        outputs: int,
        *,
        width: int,
        depth: int,
        normalisation: str,
        activation: str,
        dropout: float,
        ensemble: int,
    ) -> None:
        super().__init__()
        self.first = MemberLinear(ensemble, features, width, shared=True)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                _normalisation(normalisation, ensemble * width),
                MemberLinear(ensemble, width, width),
                activation_layer(activation),
                nn.Dropout(dropout),
                MemberLinear(ensemble, width, width),
            )
            for _ in range(depth)
        )
        self.last = nn.Sequential(
            _normalisation(normalisation, ensemble * width), activation_layer(activation)
        )
        self.head = MemberHead(ensemble, width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map rows (n, features) to scores (n, outputs); members in training to (n, m, outputs)."""
        x = self.first(x)  # (n, m * w)
        for block in self.blocks:
            x = x + block(x)
        scores: Tensor = self.head(self.last(x))
        return scores


def hidden_layers(linear: Sequence[nn.Module], activation: str, dropout: float) -> nn.Sequential:
    """Put an activation and dropout behind each of several linear layers."""
    return nn.Sequential(
        *(
            layer
            for one in linear
            for layer in (one, activation_layer(activation), nn.Dropout(dropout))
        )
    )


def activation_layer(name: str) -> nn.Module:
    """Make an activation by its name.

    Raises:
        InputError: There is none of this name.
    """
    check_one_of("activation", name, _ACTIVATIONS)
    return _ACTIVATIONS[name]()


def _normalisation(name: str, units: int) -> nn.Module:
    check_one_of("normalisation", name, ("batch", "none"))
    return nn.BatchNorm1d(units) if name == "batch" else nn.Identity()
