"""What torch's messages say: which ones to silence, and the reason of a failure by its text.

Takes an exception of torch's. A new torch may word them differently; tests raise each for real.
"""

import re

from ..errors import first_line

EXPORT_WARNINGS = (
    ".*LeafSpec",  # torch 2.13 warns of its own use of a class that it is about to retire
    ".* assigned during export",  # attributes that forward writes; it writes those of a copy
)
EXPORT_LOGGERS = (  # they report a failed export, of which our error has the first line
    "torch.export._trace",
    "torch.fx.experimental.symbolic_shapes",
    "torch._subclasses.fake_tensor",
)
VMAP_WARNINGS = ("There is a performance drop",)  # an operation runs once per element


def fixes_a_size(error: Exception) -> bool:
    """Tell whether torch.export failed because the model's code fixes the batch size."""
    return "specialized it to be a constant" in str(error)


def depends_on_values(error: Exception) -> bool:
    """Tell whether torch.export failed because of control flow over values of tensors."""
    return "data-dependent" in str(error) or "torch.export" in first_line(error)


def is_flex_attention(error: Exception) -> bool:
    """Tell whether torch.export failed at torch's flex_attention."""
    return "flexattention" in str(error).lower().replace("_", "")


def reads_data(error: Exception) -> bool:
    """Tell whether torch.export failed at a value that is read by its attribute `data`."""
    return "fake tensor in the exported program constant" in str(error)


def without_symbols(text: str) -> str:
    """Write "batch" where torch.export names the batch size by a symbol, such as s95."""
    return re.sub(r"\bs\d+\b", "batch", text.partition(" (unhinted")[0])


def operation_without_derivative(error: Exception) -> str | None:
    """Return the name of the operation that torch cannot differentiate, if that is the error."""
    match = re.search(r"derivative for aten::(\w+) is not implemented", str(error))
    return match[1] if match else None
