"""LRP in the form of Captum's attribution methods, for its metrics, noise tunnels and users.

Takes a model, then the arguments of `attribute` as Captum has them. Gives relevance. Needs Captum.
"""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..explanation.check_inputs import label_arguments
from ..explanation.explainer import Explainer
from ..explanation.result import Explanation
from ..explanation.targets import At, at
from ..recipes.recipe import Recipe
from ..support.extras import needs
from ..support.output_kinds import has_one_unit

with needs("evaluate", "relprop.integrations.captum"):
    from captum.attr import Attribution
    from captum.log import log_usage

__all__ = ["LRP"]

_TARGETS = (
    "a class, or a tuple of indices; or a list with one for each sample, or a tensor of classes"
)
CaptumTarget = int | str | Tensor | tuple[int, ...] | list[int] | list[tuple[int, ...]] | At | None


class LRP(Attribution):  # type: ignore[misc]  # Captum has no types
    """Layer-wise Relevance Propagation, called as `captum.attr.LRP` and other methods of Captum.

    It is a `captum.attr.Attribution`: `captum.attr.NoiseTunnel` takes it, `captum.metrics` its
    `attribute`. Nothing is written on the model. Of a model that ends with a sigmoid or softmax the
    logits are explained, as `relprop.Explainer` does; Captum's own LRP explains the output itself.

    Args:
        model: Any torch.nn.Module, in eval mode.
        recipe: A `Recipe` or the name of a preset; "auto" chooses one for the model's operations.

    Raises:
        InputError: An argument is wrong.
        MissingExtraError: Captum is not installed.

    Example:
        >>> import torch
        >>> from relprop.integrations.captum import LRP
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(),
        ...                             torch.nn.Linear(8, 3)).eval()
        >>> x = torch.rand(2, 4)
        >>> relevance, delta = LRP(model, "epsilon").attribute(
        ...     x, target=1, return_convergence_delta=True)
        >>> relevance.shape, delta.shape
        (torch.Size([2, 4]), torch.Size([2]))

        With Captum's own tools:

        >>> from captum.attr import NoiseTunnel
        >>> NoiseTunnel(LRP(model)).attribute(x, nt_samples=4, stdevs=0.1, target=1).shape
        torch.Size([2, 4])
    """

    def __init__(self, model: nn.Module, recipe: Recipe | str = "auto") -> None:
        self.explainer = Explainer(model, recipe)
        super().__init__(self.explainer.model)

    # NoiseTunnel calls what this decorator keeps as attribute.__wrapped__.
    @log_usage()  # type: ignore[untyped-decorator]
    def attribute(
        self,
        inputs: Tensor | tuple[Tensor, ...],
        target: CaptumTarget = None,
        additional_forward_args: Any = None,
        return_convergence_delta: bool = False,
    ) -> Any:
        """Compute the relevance of inputs.

        Args:
            inputs: A tensor (batch, *features), or a tuple of tensors, the model's first arguments.
            target: Which number of each sample's output is explained. A class for all samples, or
                one for each: a list or a tensor (batch,). Of an output (batch, ...) with more
                dimensions a tuple of indices for all samples, or a list with a tuple for each. None
                is for a model with one number per sample. "predicted", "runner-up" and
                `relprop.at(...)` are taken, too.
            additional_forward_args: The model's further arguments, alone or in a tuple. They are
                not explained.
            return_convergence_delta: Whether to return the convergence delta as well.

        Returns:
            Relevance, a tensor or a tuple as the inputs are, of their shapes; and with
            return_convergence_delta a pair of this and the delta (batch,): the explained score
            minus the sum of the relevance of all inputs. It is what was absorbed, as by biases
            and stabilisers, and what additional_forward_args received.

        Raises:
            RelpropError: An argument is wrong, or the model cannot be explained.
        """
        one, given = not isinstance(inputs, tuple), _in_tuple(inputs)
        further = _in_tuple(additional_forward_args)
        arguments: Any = inputs if one and not further else given + further
        values, _ = label_arguments(self.explainer.model, arguments)
        labels = tuple(values)[: len(given)]
        if target is None:
            self._check_one_number(arguments, labels)
        chosen = _relprop_target(target)
        e = self.explainer(arguments, chosen, explain=labels)
        relevance = tuple(e.relevances.values())
        found: Any = relevance[0] if one else relevance
        if not return_convergence_delta:
            return found
        return found, self.compute_convergence_delta(relevance, _score(e, chosen))

    @property
    def multiplies_by_inputs(self) -> bool:
        """Whether it is a product with the inputs, as all LRP is: yes."""
        return True

    def has_convergence_delta(self) -> bool:
        """Return True: `attribute` has a convergence delta."""
        return True

    def compute_convergence_delta(
        self, attributions: Tensor | tuple[Tensor, ...], output: Tensor
    ) -> Tensor:
        """Subtract the sum of relevance from the scores, as `captum.attr.LRP` does.

        Args:
            attributions: Relevance of each input, (batch, ...).
            output: The explained scores, (batch,).

        Returns:
            The difference for each sample, (batch,).
        """
        sums = [one.flatten(1).sum(1) for one in _in_tuple(attributions)]
        return output.flatten() - torch.stack(sums).sum(0)

    def _check_one_number(self, arguments: Any, labels: tuple[str, ...]) -> None:
        """Refuse target=None of a model with several numbers per sample, as Captum does."""
        graph = self.explainer.plan(arguments, explain=labels).graph
        node = graph.node(graph.scores)
        shape = (node.shape if node else None) or ()
        if all(size == 1 for size in shape[1:]):
            return
        index = ", ".join("0" for _ in shape[1:])
        todo = 'write target="predicted"' if len(shape) == 2 else f"write target=({index})"
        sizes = ", ".join(map(str, shape[1:]))
        raise InputError(
            f"no target, for a model whose output has shape (batch, {sizes})",
            _TARGETS,
            todo,
        )


def _in_tuple(values: Any) -> tuple[Any, ...]:
    if values is None:
        return ()
    return values if isinstance(values, tuple) else (values,)


def _relprop_target(target: Any) -> Any:
    """Turn Captum's target into one of relprop's, in which tuples and lists mean something else."""
    if isinstance(target, tuple):
        return at(*target)
    if isinstance(target, str) and target not in ("predicted", "runner-up"):
        raise _wrong_target(repr(target), 'write target="predicted"')
    if isinstance(target, Tensor) and target.numel() == 1 and not target.is_floating_point():
        return target.item()
    if not isinstance(target, list):
        return target
    if target and all(isinstance(one, tuple) for one in target):
        return _entries(target)
    if not target or not all(isinstance(one, Integral) for one in target):
        raise _wrong_target(f"the list {target[:3]!r}", "write target=[0] * len(inputs)")
    return torch.tensor([int(one) for one in target])


def _entries(indices: Sequence[tuple[int, ...]]) -> Any:
    """Return the function that selects one entry of each sample's output."""

    def entries(scores: Tensor) -> Tensor:
        if len(indices) != len(scores):
            given = f"a list of {len(indices)} tuples for a batch of {len(scores)}"
            raise _wrong_target(given, f"write target=[{indices[0]}] * len(inputs)")
        return torch.stack([one[index] for one, index in zip(scores, indices, strict=True)])

    return entries


def _wrong_target(given: str, todo: str) -> InputError:
    return InputError(f"target is {given}", _TARGETS, todo)


def _score(e: Explanation, target: Any) -> Tensor:
    """Return the score that was explained, (batch,)."""
    if isinstance(target, At):
        return e.scores.movedim(0, -1)[target.index]
    if callable(target):
        return torch.as_tensor(target(e.scores))
    if e.target is None or has_one_unit(e.scores):
        return e.scores.flatten()
    return e.scores.gather(1, e.target[:, None]).flatten()
