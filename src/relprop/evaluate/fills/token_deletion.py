"""Removal of tokens by the attention mask, instead of by other values.

Takes the model's inputs by name. Gives inputs without the removed tokens. Must not know the model.

n  sequences      l  their length
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...errors import InputError


@dataclass(frozen=True)
class Deletion:
    """A way to take tokens out of a sequence; passed as a fill.

    Attributes:
        name: "delete" or "hide", which curves carry.
        mask: Name of the input that is 0 where the model must not look.
        pad: Id of padding: tokens that are left move to the left and padding follows. None: tokens
            stay where they are and are only masked.
    """

    name: str
    mask: str
    pad: int | None


def delete(mask: str = "attention_mask", *, pad: int = 0) -> Deletion:
    """Take removed tokens out, and move the rest together, as if they had not been written.

    Other inputs than the ids and the mask, such as token types, stay as they are.

    Args:
        mask: Name of the attention mask among the inputs, (n, length).
        pad: Id of the padding token, which fills the end.

    Returns:
        The fill.

    Example:
        >>> import torch
        >>> from relprop.evaluate import remove_units
        >>> ids = torch.tensor([[11, 12, 13]])
        >>> x = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        >>> removed = remove_units(x, torch.tensor([[2.0, 1.0, 3.0]]), 1 / 3, fill=delete())
        >>> removed["input_ids"].tolist(), removed["attention_mask"].tolist()
        ([[11, 12, 0]], [[1, 1, 0]])
    """
    return Deletion("delete", mask, pad)


def hide(mask: str = "attention_mask") -> Deletion:
    """Mask removed tokens, so that the rest keep their positions.

    Args:
        mask: Name of the attention mask among the inputs, (n, length).

    Returns:
        The fill.

    Example:
        >>> import torch
        >>> from relprop.evaluate import remove_units
        >>> ids = torch.tensor([[11, 12, 13]])
        >>> x = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        >>> removed = remove_units(x, torch.tensor([[3.0, 1.0, 2.0]]), 1 / 3, fill=hide())
        >>> removed["input_ids"].tolist(), removed["attention_mask"].tolist()
        ([[11, 12, 13]], [[0, 1, 1]])
    """
    return Deletion("hide", mask, None)


def delete_tokens(
    deletion: Deletion, values: Mapping[str, Any], ids: str, removed: Tensor
) -> dict[str, Any]:
    """Return the inputs of a model without some tokens.

    Args:
        deletion: How tokens are taken out.
        values: Inputs by name; ids and mask are (n, l).
        ids: Name of the token ids.
        removed: Which tokens are removed, boolean (n, l).
    """
    mask: Tensor = values[deletion.mask].masked_fill(removed, 0)
    if deletion.pad is None:
        return {**values, deletion.mask: mask}
    present_first = (mask == 0).byte().argsort(dim=1, stable=True)
    moved = mask.gather(1, present_first)
    tokens = values[ids].gather(1, present_first).masked_fill(moved == 0, deletion.pad)
    return {**values, ids: tokens, deletion.mask: moved}


def check_deletion(deletion: Deletion, values: Mapping[str, Any], ids: str) -> None:
    """Raise InputError unless the inputs have ids and a mask of the same shape."""
    mask, tokens = values.get(deletion.mask), values[ids]
    if not isinstance(mask, Tensor) or mask.shape != tokens.shape or tokens.ndim != 2:
        raise InputError(
            f'fill="{deletion.name}" for the inputs {", ".join(values)}',
            f'token ids and "{deletion.mask}", both (n, length)',
            f"pass x as a mapping with both, or name the mask: {deletion.name}(mask=...)",
        )
