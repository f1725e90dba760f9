"""A network that looks at a picture and at its mirror image, and averages what it sees.

Takes a network of pictures. Gives a module that explanations see as a whole: relevance of both
images is summed in the picture. Must not know families or training.
"""

from torch import Tensor, nn


class MeanOfMirrored(nn.Module):
    """Averages the scores of a picture and its mirror image, left to right.

    In training it gives the scores of the picture alone: augmentation mirrors it there.

    Args:
        network: Maps pictures, (n, c, h, w), to scores, (n, outputs).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        """Return scores, (n, outputs)."""
        scores: Tensor = self.network(pictures)
        if self.training:
            return scores
        mirrored: Tensor = self.network(pictures.flip(3))
        return (scores + mirrored) / 2
