"""Removal of tokens by the attention mask, instead of by other values.

n  sequences      l  their length
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...errors import InputError


@dataclass(frozen=True)
class Deletion:
    """Tokens leave the sequence; given as a fill.

    mask  the name of the input that is 0 where the model must not look
    pad   the id of padding: kept tokens move to the left and padding follows. None: tokens stay
          where they are and are masked alone
    """

    name: str
    mask: str
    pad: int | None


def delete(mask: str = "attention_mask", *, pad: int = 0) -> Deletion:
    """Removed tokens are taken out: the rest moves together, as if they had not been written.

    Inputs beside the ids and the mask, such as token types, stay as they are.
    """
    return Deletion("delete", mask, pad)


def hide(mask: str = "attention_mask") -> Deletion:
    """Removed tokens are masked, so that the rest keeps its places."""
    return Deletion("hide", mask, None)


def deleted(how: Deletion, values: Mapping[str, Any], ids: str, gone: Tensor) -> dict[str, Any]:
    """The inputs of a model without some tokens.

    values  the inputs by name, those of ids and mask (n, l)
    gone    (n, l) boolean
    """
    mask: Tensor = values[how.mask].masked_fill(gone, 0)
    if how.pad is None:
        return {**values, how.mask: mask}
    kept_first = (mask == 0).byte().argsort(dim=1, stable=True)
    moved = mask.gather(1, kept_first)
    tokens = values[ids].gather(1, kept_first).masked_fill(moved == 0, how.pad)
    return {**values, ids: tokens, how.mask: moved}


def check_deletion(how: Deletion, values: Mapping[str, Any], ids: str) -> None:
    """InputError unless the model is given a mask beside ids of the same shape."""
    mask, tokens = values.get(how.mask), values[ids]
    if not isinstance(mask, Tensor) or mask.shape != tokens.shape or tokens.ndim != 2:
        raise InputError(
            f'fill="{how.name}" for the inputs {", ".join(values)}',
            f'token ids and "{how.mask}", both (n, length)',
            f"give x as a mapping with both, or name the mask: {how.name}(mask=...)",
        )
