"""Makes a module of the networks that a bundle holds.

Takes a BundleContent. Gives a module in eval mode. Nothing of the files of a bundle runs: networks
are those of the package, by name. Must not know files.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ..errors import FileError, InputError, first_line
from ..networks.mean import MeanOfMembers
from ..networks.registry import build_network
from .content import BundleContent, Member, ValueScale


class InOwnUnits(nn.Module):
    """A network of standardised values, in the units of the value.

    Args:
        network: Maps (n, ...) to standardised values (n, 1).
        scale: What values were standardised by.
    """

    def __init__(self, network: nn.Module, scale: ValueScale) -> None:
        super().__init__()
        self.network, self.mean, self.std = network, scale.mean, scale.std

    def forward(self, x: Tensor) -> Tensor:
        """Return values (n, 1)."""
        values: Tensor = self.network(x) * self.std + self.mean
        return values


class LabelProbabilities(nn.Module):
    """A network whose outputs are logits of labels that do not exclude each other.

    Args:
        network: Maps (n, ...) to logits (n, labels).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Return the probability of each label, (n, labels)."""
        return torch.sigmoid(self.network(x))


def build_model(content: BundleContent) -> nn.Module:
    """Return the trained model: logits of classes or labels, or values in their own units.

    Raises:
        FileError: A family is not known, or its network is not the one that was trained.
    """
    model = join_members([build_member(member) for member in content.members])
    if content.task == "value":
        model = InOwnUnits(model, content.scale)
    return model.eval().requires_grad_(False)


def join_members(networks: Sequence[nn.Module]) -> nn.Module:
    """Return the only network, or the mean of several."""
    return networks[0] if len(networks) == 1 else MeanOfMembers(networks)


def build_member(member: Member) -> nn.Module:
    """Return a trained network. Raises FileError as `build_model` does.

    It is built on the meta device first, where tensors have shapes and no memory: sizes that a
    damaged file names cost nothing before they are compared with its tensors.
    """
    try:
        with torch.device("meta"):
            network = _built(member)
        if any(one.is_meta for one in network.buffers()):  # what no state dict holds: positions
            network = _built(member)
    except (KeyError, TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise _unknown(member, first_line(error)) from error
    return network


def _built(member: Member) -> nn.Module:
    network = build_network(member.family, member.settings, member.facts)
    _check_shapes(network.state_dict(), member.weights)
    network.load_state_dict(dict(member.weights), assign=True)
    return network


def _check_shapes(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Raise InputError unless the weights are those of the network."""
    for name in expected.keys() ^ found.keys():
        where = "the network" if name in expected else "the file"
        raise InputError(f"{name} is in {where} alone", "the same names", "fit again")
    for name, tensor in expected.items():
        given = f"{tuple(found[name].shape)} {found[name].dtype}"
        if given != f"{tuple(tensor.shape)} {tensor.dtype}":
            wanted = f"{tuple(tensor.shape)} {tensor.dtype}"
            raise InputError(f"{name} of {given}, not {wanted}", wanted, "fit again")


def _unknown(member: Member, problem: str) -> FileError:
    return FileError(
        f'a network "{member.family}" of a bundle that cannot be built: {problem}',
        "families of networks that this version of relprop has, with the weights of a fit",
        "use the version of relprop that wrote the bundle, or fit again",
    )
