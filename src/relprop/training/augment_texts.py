"""A random change of texts: some tokens are left out of sight.

Takes settings. Gives a function of a batch of token ids, which draws from torch's global random
numbers. Must not know networks or vocabularies.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import InputError
from ..networks.family import Settings


def augment_texts(settings: Settings) -> Callable[[Tensor], Tensor] | None:
    """Return a function that hides some tokens of a batch, (n, tokens).

    A hidden token becomes padding, id 0, in its place; the first token stays, so that no text is
    empty.

    Args:
        settings: `word_dropout`: the probability of each token to be hidden.

    Returns:
        The function; None where it is 0 or missing.

    Raises:
        InputError: The setting is no probability below 1.
    """
    share = settings.get("word_dropout", 0)
    is_number = isinstance(share, (int, float)) and not isinstance(share, bool)
    if not (is_number and 0 <= share < 1):  # type: ignore[operator]
        allowed = "a probability, 0 to below 1"
        raise InputError(f"word_dropout is {share!r}", allowed, "write word_dropout=0.1")
    if share == 0:
        return None

    def augment(ids: Tensor) -> Tensor:
        hidden = torch.rand(ids.shape, device=ids.device) < float(share)
        hidden[:, 0] = False
        return ids.masked_fill(hidden, 0)

    return augment
