"""Families of networks by modality, and networks by the name of their family.

Takes names and plain values, as a bundle has them. Must not know training.
"""

from importlib import import_module

from torch import nn

from ..data.dataset import Modality
from ..errors import InputError
from ..support.arguments import suggest
from .family import Facts, NetworkFamily, Settings

# Where the families of a modality are; imported when they are asked for, as libraries come along.
_PLACES = {
    "picture": ("picture_families", "PICTURE_FAMILIES"),
    "table": ("tables", "TABLE_FAMILIES"),
    "series": ("series_families", "SERIES_FAMILIES"),
    "text": ("texts_families", "TEXT_FAMILIES"),
}


def families(modality: Modality, encoder: str = "") -> tuple[NetworkFamily, ...]:
    """Return the families of a modality, that of the first trial first.

    Args:
        modality: What the samples are.
        encoder: Folder of a pretrained encoder of texts; "" for none.
    """
    module, name = _PLACES[modality]
    found: tuple[NetworkFamily, ...] = getattr(import_module(f".{module}", __package__), name)
    if modality == "text" and encoder:
        from .texts_families import ENCODER

        return (ENCODER, *found)
    return found


def find_family(modality: Modality, name: str) -> NetworkFamily:
    """Return a family by its name.

    Raises:
        InputError: There is none of this name for the modality.
    """
    # a network of the encoder's family is built without its folder, too: a bundle holds its weights
    known = families(modality, encoder="any" if modality == "text" else "")
    named = {family.name: family for family in known}
    if name not in named:
        given = f"a family {name!r} for data of modality {modality}"
        raise InputError(given, ", ".join(named), suggest(name, named))
    return named[name]


def build_network(family: str, settings: Settings, facts: Facts) -> nn.Module:
    """Build an untrained network.

    Args:
        family: Name of its family.
        settings: All settings, as a trial had them.
        facts: What the family is told of the data.

    Raises:
        InputError: There is no such family.
    """
    return find_family(facts.modality, family).build(settings, facts)
