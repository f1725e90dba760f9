"""The operations that a file of plans may name, and their names. All others are refused.

An allowlist, since there is no telling what the rest of torch does: operations that are not known
to compute a value from their arguments alone might reseed generators, print, open files, or talk
to other processes. Takes and gives functions and lists. Must not know files.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from ..errors import FileError
from ..support.torch_private import argument_types, operation_name, writes_memory
from .ir import Einsum, Item, Ref
from .ops import FIRST_BY_VALUE, OPERATIONS, SHAPES_ONLY

# What a captured graph may have besides the operations that relevance propagates through: values
# that do not depend on the input, masks, indices, and functions that a row of a recipe may name.
_CREATION = """
arange empty eye full linspace logspace new_empty_strided ones scalar_tensor tril_indices
triu_indices zeros one_hot lift_fresh lift_fresh_copy detach bartlett_window blackman_window
hamming_window hann_window affine_grid_generator complex polar
"""
_MASKS = """
eq ne lt le gt ge logical_and logical_not logical_or logical_xor __and__ __or__ __xor__
bitwise_and bitwise_not bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift
isclose isfinite isin isinf isnan isneginf isposinf signbit all any equal
"""
_INDICES = """
argmax argmin argsort argwhere bincount bucketize count_nonzero histc masked_select nonzero
nonzero_numpy searchsorted take _unique2 unique_dim unique_consecutive
"""
_ROUNDING = """
ceil copysign floor floor_divide fmod frac heaviside remainder round sgn sign trunc
"""
_FUNCTIONS = """
acos acosh addcdiv angle asin atan2 atanh conj_physical cosh deg2rad digamma erfc erfinv exp2
float_power fmax fmin gcd hypot i0 igamma igammac lcm ldexp lgamma log10 log2 logaddexp logaddexp2
logit mvlgamma nextafter polygamma positive rad2deg sinc sinh special_airy_ai special_bessel_j0
special_bessel_j1 special_bessel_y0 special_bessel_y1 special_entr special_erfcx special_i0e
special_i1 special_i1e special_log_ndtr special_ndtri special_xlog1py special_zeta tan xlogy
"""
_ARRAYS = """
_cdist_forward _conj _embedding_bag _embedding_bag_forward_only _fft_c2c _fft_c2r _fft_r2c
_reshape_alias _trilinear _unsafe_index _unsafe_masked_index _weight_norm _weight_norm_interface
as_strided as_strided_scatter block_diag bilinear broadcast_tensors broadcast_to cartesian_prod
cdist corrcoef cosine_similarity cov cross cumprod diag diag_embed diagonal_scatter dot embedding
embedding_bag fft_fft fft_fft2 fft_fftn fft_hfft fft_ifft fft_ifft2 fft_ifftn fft_ihfft fft_irfft
fft_irfft2 fft_irfftn fft_rfft fft_rfft2 fft_rfftn fft_fftshift fft_ifftshift
fft_fftfreq fft_rfftfreq gru_cell imag inner istft kron linalg_cross linalg_det linalg_inv
linalg_inv_ex linalg_matrix_exp linalg_norm linalg_solve linalg_solve_triangular linalg_vecdot
logcumsumexp lstm_cell mode msort nanmean nanmedian nanquantile nansum
native_group_norm native_layer_norm outer pairwise_distance pdist quantile real
reflection_pad3d renorm replication_pad3d resolve_conj resolve_neg rnn_relu_cell rnn_tanh_cell
slice_inverse special_softmax std_mean stft trace unfold_copy upsample_bicubic2d
vander var vdot view_as_complex view_as_real
"""
_MORE = (_CREATION, _MASKS, _INDICES, _ROUNDING, _FUNCTIONS, _ARRAYS)
_EXTENSIONS = {  # which register their operations when they are imported
    "torchvision": frozenset(["deform_conv2d", "nms", "ps_roi_align", "roi_align", "roi_pool"]),
    "transformers": frozenset(["grouped_mm_fallback"]),
}
OPERATIONS_BY_NAMESPACE: Mapping[str, frozenset[str]] = {
    "aten": frozenset([*OPERATIONS, *SHAPES_ONLY, *FIRST_BY_VALUE, *" ".join(_MORE).split()]),
    **_EXTENSIONS,
}

# Of Python's functions, arithmetic on sizes.
_ARITHMETIC: Mapping[str, tuple[Any, str]] = {
    "_operator": (
        operator,
        "eq ge gt le lt ne not_ and_ or_ abs add floordiv mod mul neg pos pow sub truediv",
    ),
    "math": (math, "ceil exp floor log log2 sqrt trunc"),
    "torch": (
        torch,
        "sym_float sym_int sym_ite sym_max sym_min sym_not sym_sqrt sym_sum _sym_acos _sym_asin "
        "_sym_atan _sym_cos _sym_cosh _sym_log2 _sym_sin _sym_sinh _sym_sqrt _sym_tan _sym_tanh",
    ),
}
_LARGEST_EXPONENT = 64

# The innermost type of an argument, in torch's words -> the types that a value of it may have.
_PLAIN_TYPES: Mapping[str, tuple[type, ...]] = {
    **{"int": (int,), "float": (int, float), "bool": (bool,), "str": (str,)},
    "number": (bool, int, float, complex),
}

# A graph's name of an operation, where it is not that of the function: see capture/from_export.
_RENAMED = {
    *(("view", "reshape"), ("_unsafe_view", "reshape"), ("clone", "alias")),
    *(("mm", "matmul"),),
}


def write_target(target: Any) -> Any:
    """Name a function by a list; one that wraps another holds the other's list.

    Returns None for a function that a file may not name.
    """
    if isinstance(target, (Item, Einsum)):
        inner = write_target(target.target)
        index = [target.index] if isinstance(target, Item) else []
        return inner and [type(target).__name__.lower(), *index, inner]
    operation = operation_name(target)
    if operation is not None:
        return ["torch", *operation] if _is_allowed(*operation[:2]) else None
    module, name = getattr(target, "__module__", ""), getattr(target, "__name__", "")
    return ["arithmetic", module, name] if _arithmetic(module, name) is target else None


def read_target(document: Any) -> Callable[..., Any]:
    """Find the function of a list that `write_target` made.

    Raises:
        FileError: It names none that is allowed, or none that is there.
    """
    match document:
        case ["item", int(index), ["torch", str(), str(), str()] as inner] if index >= 0:
            return Item(read_target(inner), index)
        case ["einsum", ["torch", "aten", "einsum", str()] as inner]:
            return Einsum(read_target(inner))
        case ["torch", str(namespace), str(name), str(overload)]:
            return _operation(namespace, name, overload)
        case ["arithmetic", str(module), str(name)]:
            function = _arithmetic(module, name)
            if function is not None:
                return function  # type: ignore[no-any-return]
    raise invalid_plan(f"the operation {_brief(repr(document))}")


def refuse_other_effects(name: str, target: Any, args: Sequence[Any], kwargs: Any) -> None:
    """Refuse a call that does more than to compute, or another thing than its name says.

    Args:
        name: What the graph calls the operation.
        target: The function that runs it.
        args: Positional arguments, with a `Ref` for each value.
        kwargs: Keyword arguments, likewise.

    Raises:
        FileError: The call draws random numbers, writes running statistics, has a power that may
            take forever, or runs another operation than `name`.
    """
    while isinstance(target, (Item, Einsum)):
        target = target.target
    operation = operation_name(target)
    function = operation.name if operation else target.__name__
    if name.removeprefix("complex_") != function and (name, function) not in _RENAMED:
        raise invalid_plan(f'the operation "{_brief(name)}" that runs {function}')
    if operation is None:
        _refuse_other_arithmetic(function, args, kwargs)
        return
    given = {**dict(zip(argument_types(target), args, strict=False)), **kwargs}
    draws = given.get("dropout_p") or (given.get("train") and given.get("dropout"))
    writes = given.get("use_input_stats") and given.get("running_mean") is not None
    if draws or writes or given.get("training"):
        raise invalid_plan(f"the operation {function} in train mode")


def refuse_other_types(target: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Refuse a call with an argument of another type, which torch may take for the right one.

    Args:
        target: The function that runs it.
        args: Positional arguments, with a `Ref` for each value.
        kwargs: Keyword arguments, likewise.

    Raises:
        FileError: An argument is of another type, such as True for a dimension.
    """
    operation = target.target if isinstance(target, Item) else target
    if operation_name(operation) is None:
        return
    types = argument_types(operation)
    given = {**dict(zip(types, args, strict=False)), **kwargs}
    for name, value in given.items():
        if not _fits(value, types.get(name, "")):
            raise invalid_plan(f"{operation} with {name} = {_brief(repr(value))}")


def _fits(value: Any, described: str) -> bool:
    """Tell whether an argument has a type that is described in torch's words."""
    if isinstance(value, (list, tuple)):
        return all(_fits(item, described) for item in value)
    innermost = described.rpartition("[")[2].rstrip("]")
    types = _PLAIN_TYPES.get(innermost)
    return types is None or value is None or isinstance(value, Ref) or type(value) in types


def _refuse_other_arithmetic(function: str, args: Sequence[Any], kwargs: Any) -> None:
    """Refuse texts, which arithmetic would format or repeat, and large powers."""
    items = [item for arg in args for item in (arg if isinstance(arg, list) else [arg])]
    if kwargs or not all(isinstance(item, (int, float, Ref)) for item in items):
        raise invalid_plan(f"arguments of {function} that are no sizes")
    if function == "pow" and not _is_small_power(*args[1:]):
        raise invalid_plan(f"an exponent that is no number of at most {_LARGEST_EXPONENT}")


def _is_small_power(exponent: Any = None, *rest: Any) -> bool:
    return not rest and isinstance(exponent, (int, float)) and abs(exponent) <= _LARGEST_EXPONENT


def _is_allowed(namespace: str, name: str) -> bool:
    return name in OPERATIONS_BY_NAMESPACE.get(namespace, ())


def _arithmetic(module: str, name: str) -> Any:
    """Return a function of Python or torch for sizes; None where it is not one of them."""
    home, names = _ARITHMETIC.get(module, (None, ""))
    return getattr(home, name, None) if name in names.split() else None


def _operation(namespace: str, name: str, overload: str) -> Callable[..., Any]:
    """Look up an operation of torch that may be named."""
    full = _brief(f"{namespace}.{name}.{overload}")
    if not _is_allowed(namespace, name):
        raise FileError(
            f"a plan with the operation {full}, which no file may name",
            "the operations that relprop knows to compute a value from their arguments alone",
            "capture the model in this session: relprop.Explainer(model)",
        )
    packet = getattr(getattr(torch.ops, namespace), name, None)
    operation: Any = getattr(packet, overload, None)
    if operation_name(operation) is None:
        raise FileError(
            f"an operation that this torch {torch.__version__} does not have: {full}",
            "those of the torch, and of its extensions, that the plan was made with",
            "import the extension first, or capture the model again",
        )
    if writes_memory(operation):
        raise invalid_plan(f"the operation {full}, which writes")
    return operation  # type: ignore[no-any-return]


def invalid_plan(what: str) -> FileError:
    """Return the error for a plan with something that `Explainer.save` does not write."""
    return FileError(f"a plan with {what}", "what Explainer.save writes", "save the plan again")


def _brief(text: str) -> str:
    """Cut a text off after 100 characters."""
    return text if len(text) <= 100 else f"{text[:100]}..."
