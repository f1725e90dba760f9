"""Families by modality, and networks by the name of their family."""

import pytest
import torch

from relprop.errors import InputError
from relprop.networks.family import Facts
from relprop.networks.registry import build_network, families, find_family

FACTS = {
    "picture": Facts("picture", "classes", 3, 500, (1, 12, 12)),
    "table": Facts("table", "classes", 3, 500, (7,)),
    "series": Facts("series", "classes", 3, 500, (2, 40)),
    "text": Facts("text", "classes", 3, 500, (20,), vocabulary=50),
}
FAMILIES = [(m, family.name) for m in FACTS for family in families(m)]


@pytest.mark.parametrize(("modality", "name"), FAMILIES)
def test_the_default_of_each_family_builds_and_has_all_that_is_searched(modality, name):
    facts, family = FACTS[modality], find_family(modality, name)
    default = family.default(facts)
    assert set(family.space(facts)) <= set(default)
    network = build_network(name, default, facts).eval()
    kind = torch.int64 if modality == "text" else torch.float32
    with torch.inference_mode():
        scores = network(torch.ones(2, *facts.shape, dtype=kind))
    assert scores.shape == (2, 3)


def test_an_encoder_of_texts_comes_first_where_there_is_one():
    assert next(iter(families("text", "folder"))).name == "encoder"
    assert "encoder" not in [family.name for family in families("text")]
    assert find_family("text", "encoder").name == "encoder"


def test_an_unknown_family_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match="'residual-mpl' for data of modality table") as error:
        find_family("table", "residual-mpl")
    assert error.value.todo == 'write "residual-mlp"'
