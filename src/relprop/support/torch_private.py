"""Everything that relprop uses of torch beyond its documented interface.

No other file of the package says `torch._` but `exported_sizes` and `fused_attention`. Each name
stands once, behind a function that says what it does; if a new torch moves some, `probe` names all
of them in one error. What is slow to import is imported where it is used.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from importlib import import_module
from operator import attrgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import RelpropError
from .exported_sizes import batch_size_ranges, conditions_on_sizes, symbol_of
from .fused_attention import FUSED_OPERATIONS

_TESTED = "2.11 to 2.13"  # versions of torch

# Name -> the module that it is imported from.
_HOMES = {
    "DimDynamic": "torch.fx.experimental.symbolic_shapes",
    "FakeTensorMode": "torch._subclasses.fake_tensor",
    "OpOverload": "torch._ops",
    "ShapeEnv": "torch.fx.experimental.symbolic_shapes",
    "StatelessSymbolicContext": "torch.fx.experimental.symbolic_shapes",
    "TorchDispatchMode": "torch.utils._python_dispatch",
    "_disable_current_modes": "torch.utils._python_dispatch",
    "enable_python_dispatcher": "torch._dispatch.python",
    "fake_tensor_propagate_real_tensors": "torch._functorch.config",
    "make_fx": "torch.fx.experimental.proxy_tensor",
    "maybe_mark_dynamic": "torch._dynamo",
    "patch": "torch._functorch.config",
    "tree_leaves": "torch.utils._pytree",
    "tree_map_only": "torch.utils._pytree",
}
# Operations of torch.ops.aten that backward passes call; exported graphs hold others.
_OPERATIONS = (
    *("avg_pool2d_backward.default", "convolution_backward.default", "select_backward.default"),
    *("max_pool2d_with_indices.default", "max_pool2d_with_indices_backward.default"),
    *("max_pool2d_with_indices_backward.grad_input", "threshold_backward.grad_input"),
    *("slice_backward.default", *FUSED_OPERATIONS),
)


# ---- tensors and modules: read at every call, so these are C functions ---------------------

version_of: Callable[[Tensor], int] = attrgetter("_version")
"""Count the writes into a tensor's memory so far. Fails for tensors of inference mode."""

storage_key: Callable[[torch.UntypedStorage], int] = attrgetter("_cdata")
"""Identify a storage for as long as it lives."""

own_modules: Callable[[nn.Module], dict[str, nn.Module | None]] = attrgetter("_modules")
"""Return the direct submodules of a module, by name."""

own_parameters: Callable[[nn.Module], dict[str, nn.Parameter | None]] = attrgetter("_parameters")
"""Return a module's own parameters, by name."""

own_buffers: Callable[[nn.Module], dict[str, Tensor | None]] = attrgetter("_buffers")
"""Return a module's own buffers, by name."""


global_forward_hooks: Callable[[], tuple[dict[Any, Any], ...]] = partial(
    attrgetter("_global_forward_pre_hooks", "_global_forward_hooks"), nn.modules.module
)
"""Return the hooks that run before and after the forward of every module."""

_COMPILED = "_orig_mod"  # what torch.compile calls the module that it wraps


def uncompiled(model: nn.Module) -> nn.Module:
    """Return the module that torch.compile wrapped; any other as it is."""
    wrapped = type(model).__module__.startswith("torch._dynamo")
    inside = own_modules(model).get(_COMPILED) if wrapped else None
    return model if inside is None else inside


def name_when_not_compiled(path: str) -> str:
    """Return a module's dotted name without the parts that torch.compile adds."""
    return ".".join(part for part in path.split(".") if part != _COMPILED)


# ---- operations ----------------------------------------------------------------------------


class OperationName(NamedTuple):
    """The three parts of an operation's name, such as aten, add and Tensor."""

    namespace: str
    name: str
    overload: str


def operation_name(target: Any) -> OperationName | None:
    """Return the name of one of torch's operations; None for any other function."""
    if not isinstance(target, torch._ops.OpOverload):
        return None
    return OperationName(target.namespace, target._opname, target._overloadname)


def writes_memory(operation: Any) -> bool:
    """Tell whether one of torch's operations writes into its arguments."""
    return bool(operation._schema.is_mutable)


def gives_view(operation: Any) -> bool:
    """Tell whether one of torch's operations may give memory of its arguments, by its signature."""
    return any(result.alias_info is not None for result in operation._schema.returns)


def cast_operation() -> Any:
    """Return torch's operation that copies a value to another dtype or device."""
    return torch.ops.aten._to_copy.default


def is_composite(operation: Any) -> bool:
    """Tell whether one of torch's operations is written out in others, for autograd as well."""
    key = "CompositeImplicitAutograd"
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(operation.name(), key))


def argument_types(operation: Any) -> dict[str, str]:
    """Map the arguments of one of torch's operations to their types, such as "Optional[int]"."""
    return {argument.name: str(argument.real_type) for argument in operation._schema.arguments}


def python_kernels(operation: Any) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Return the functions in Python that may run an operation, and torch's cache of the choice."""
    return operation.py_kernels, operation._dispatch_cache


def dispatch_mode() -> type[Any]:
    """Return the class whose instances see every operation of a thread."""
    return _private("TorchDispatchMode")  # type: ignore[no-any-return]


def tree_leaves(value: Any) -> list[Any]:
    """List what nested tuples, lists and dicts hold."""
    return list(torch.utils._pytree.tree_leaves(value))


def map_tensors(function: Callable[[Tensor], Any], value: Any) -> Any:
    """Apply a function to each tensor in nested tuples, lists and dicts."""
    return torch.utils._pytree.tree_map_only(Tensor, function, value)


# ---- torch.export --------------------------------------------------------------------------


def real_tensors_beside_fakes() -> AbstractContextManager[Any]:
    """Have torch.export compute real numbers beside its fake tensors.

    Python's `if` and `for` over values of tensors then follow these numbers.
    """
    patch: Callable[..., AbstractContextManager[Any]] = _private("patch")
    return patch(fake_tensor_propagate_real_tensors=True)


def set_real_tensor(fake: Tensor, numbers: Tensor) -> None:
    """Set the numbers that stand beside a fake tensor, while torch.export runs."""
    with _private("_disable_current_modes")():
        fake.real_tensor.copy_(numbers)  # type: ignore[attr-defined]


class ModuleCall(NamedTuple):
    """The module that ran an operation: dotted name, class name, and earlier calls of it."""

    path: str
    type: str
    call: int


def calling_module(node: torch.fx.Node) -> ModuleCall | None:
    """Return the innermost module that ran an operation of an exported program."""
    stack = [(key, value) for key, value in (node.meta.get("nn_module_stack") or {}).items()]
    stack = [(key, value) for key, value in stack if value]
    if not stack or stack[-1][1][0].startswith("_"):  # torch's mark for no module
        return None
    key, (path, kind) = stack[-1]
    call = str(key).rpartition("@")[2] if "@" in str(key) else "0"
    kind = kind if isinstance(kind, str) else kind.__name__
    return ModuleCall(path, kind.rpartition(".")[2], int(call))


# ---- torch.compile -------------------------------------------------------------------------


def trace_operations(
    function: Callable[..., Any], tensors: Sequence[Tensor], any_size: Sequence[bool]
) -> Callable[..., Any]:
    """Trace the operations that a function runs on tensors like these, for torch.compile.

    Args:
        function: Takes tensors alone.
        tensors: Examples of them. Only shapes, strides and dtypes count.
        any_size: For each of them, whether the trace holds for any size of the first dimension.
    """
    mode = _private("FakeTensorMode")(shape_env=_private("ShapeEnv")(), allow_non_fake_inputs=True)
    # In fake mode throughout: tensors that the function creates from sizes must be fake, too.
    with mode:
        fakes = [_fake(mode, t, free) for t, free in zip(tensors, any_size, strict=True)]
        # Without it, torch 2.11 asks sizes that are left open for a number.
        with _private("enable_python_dispatcher")():
            make_fx = _private("make_fx")
            traced: Callable[..., Any] = make_fx(function, _allow_non_fake_inputs=True)(*fakes)
    return traced


def _fake(mode: Any, tensor: Tensor, any_size: bool) -> Tensor:
    sizes = [_private("DimDynamic").STATIC] * tensor.ndim
    sizes[:1] = [_private("DimDynamic").DYNAMIC] if any_size else sizes[:1]
    context = _private("StatelessSymbolicContext")(dynamic_sizes=sizes)
    fake: Tensor = mode.from_tensor(tensor, symbolic_context=context)
    return fake


def mark_any_size(tensor: Tensor) -> None:
    """Tell torch.compile that the first dimension may have any size in later calls."""
    _private("maybe_mark_dynamic")(tensor, 0)


# ---- the probe -----------------------------------------------------------------------------


def probe() -> None:
    """Check that the installed torch has all that this file uses.

    Raises:
        RelpropError: If something is missing; it names all of it.
    """
    missing = [*_missing_names(), *_missing_attributes(), *_missing_operations()]
    missing = missing or _missing_in_exports()
    if missing:
        raise _missing_error(missing)


def _private(name: str) -> Any:
    try:
        return getattr(import_module(_HOMES[name]), name)
    except (ImportError, AttributeError) as error:
        raise _missing_error(list(_missing_names())) from error


def _missing_error(names: Sequence[str]) -> RelpropError:
    return RelpropError(
        f"torch {torch.__version__}, which lacks what relprop uses of it: {', '.join(names)}",
        f"the versions of torch that relprop is tested with: {_TESTED}",
        "install one of them, or a newer relprop",
    )


def _missing_names() -> Iterator[str]:
    for name, home in _HOMES.items():
        try:
            getattr(import_module(home), name)
        except (ImportError, AttributeError):
            yield f"{home}.{name}"


def _missing_attributes() -> Iterator[str]:
    names = {
        torch: "_fused_sdp_choice",
        torch.Tensor: "_version",
        torch.UntypedStorage: "_cdata",
        nn.Module(): "_modules _parameters _buffers _forward_hooks _forward_pre_hooks",
        nn.modules.module: "_global_forward_hooks _global_forward_pre_hooks",
        torch.ops.aten.relu.default: "namespace _opname _overloadname _schema overloadpacket "
        "py_kernels _dispatch_cache",
    }
    for owner, attributes in names.items():
        for name in attributes.split():
            if not hasattr(owner, name):
                kind = owner if isinstance(owner, type) else type(owner)
                yield f"{kind.__name__}.{name}"


def _missing_operations() -> Iterator[str]:
    for operation in _OPERATIONS:
        name, overload = operation.split(".")
        if not hasattr(getattr(torch.ops.aten, name, None), overload):
            yield f"torch.ops.aten.{operation}"


def _missing_in_exports() -> list[str]:
    """Export a small model, and look for what capture reads of the program."""
    model, batch = nn.Sequential(nn.ReLU()), {0: torch.export.Dim.DYNAMIC}
    program = torch.export.export(model, (torch.ones(2, 3),), strict=False, dynamic_shapes=(batch,))
    (node,) = (node for node in program.graph.nodes if node.op == "call_function")
    checks = {
        "nn_module_stack": lambda: calling_module(node) == ("0", "ReLU", 0),
        "range_constraints": lambda: (
            [sizes.upper for sizes in batch_size_ranges(program, [True])] == [None]
        ),
        "ExportedProgram._guards_code": lambda: conditions_on_sizes(program) is not None,
        "SymInt.node.expr": lambda: symbol_of(node.meta["val"].shape[0]) is not None,
    }
    return [name for name, check in checks.items() if not _holds(check)]


def _holds(check: Callable[[], bool]) -> bool:
    with suppress(AttributeError, KeyError, TypeError, ValueError):
        return check()
    return False
