"""Search spaces as a user narrows them: what is left, where the default goes, what is refused."""

from dataclasses import replace

import pytest

from relprop.errors import InputError
from relprop.networks.family import Choice, Facts, NetworkFamily, Range
from relprop.search.space import narrow_spaces

FACTS = Facts("table", "classes", 2, 100, (4,))


def family(name):
    space = {
        "width": Choice((32, 64, 128)),
        "activation": Choice(("relu", "gelu")),
        "rate": Range(1e-4, 1e-1, log=True),
        "depth": Range(1, 4, whole=True),
        "dropout": Choice((0.0, 0.1)),
    }
    default = {"width": 64, "activation": "relu", "rate": 1e-2, "depth": 2, "epochs": 20}
    space["smoothing"] = Range(0.0, 0.2)
    default |= {"dropout": 0.1, "smoothing": 0.1, "decay": 0.5}
    return NetworkFamily(name, "table", lambda s, f: None, lambda f: space, lambda f: default)


FAMILIES = (family("mlp"), family("cnn"))


def narrowed(**wanted):
    return narrow_spaces(FAMILIES, FACTS, wanted)


def of_mlp(**settings):
    return narrowed(mlp=settings)[0]


def test_without_words_of_the_user_all_families_have_their_whole_space():
    found = narrowed()
    assert [space.family.name for space in found] == ["mlp", "cnn"]
    assert found[0].space == FAMILIES[0].space(FACTS)
    assert found[0].default == FAMILIES[0].default(FACTS)


def test_a_default_that_is_not_in_the_family_s_space_is_tried_all_the_same():
    known = family("mlp")
    default = {**known.default(FACTS), "width": 48, "rate": 0.5}
    found = narrow_spaces((replace(known, default=lambda f: default),), FACTS, {})[0]
    assert found.default == default
    assert found.space["width"] == Choice((48, 32, 64, 128))
    assert found.space["rate"] == Range(1e-4, 0.5, log=True)


def test_families_are_chosen_in_their_own_order():
    assert [s.family.name for s in narrowed(families=["cnn", "mlp"])] == ["mlp", "cnn"]
    assert [s.family.name for s in narrowed(families=["cnn"])] == ["cnn"]


@pytest.mark.parametrize(
    ("setting", "value", "left", "default"),
    [
        ("width", [32, 64], Choice((32, 64)), 64),
        ("width", [32], Choice((32,)), 32),
        ("width", 128, Choice((128,)), 128),
        ("width", {"low": 100}, Choice((128,)), 128),
        ("activation", "gelu", Choice(("gelu",)), "gelu"),
        ("rate", {"low": 2e-2}, Range(2e-2, 1e-1, log=True), 2e-2),
        ("rate", {"high": 1e-3, "log": False}, Range(1e-4, 1e-3), 1e-3),
        ("rate", [1e-3, 5e-2], Choice((1e-3, 5e-2)), 1e-3),
        ("depth", {"low": 3, "high": 4}, Range(3, 4, whole=True), 3),
        ("dropout", 0, Choice((0.0,)), 0.0),
        ("epochs", 5, Choice((5,)), 5),
        ("decay", [0.5, 1], Choice((0.5, 1)), 0.5),
        ("epochs", [5, 50], Choice((5, 50)), 5),
    ],
)
def test_a_setting_is_narrowed_and_the_default_moves_inside(setting, value, left, default):
    found = of_mlp(**{setting: value})
    assert found.space[setting] == left
    assert found.default[setting] == default
    assert type(found.default[setting]) is type(FAMILIES[0].default(FACTS)[setting])


@pytest.mark.parametrize(
    ("wanted", "given", "todo"),
    [
        ({"famlies": ["mlp"]}, "space names 'famlies'", 'write "families"'),
        ({"families": ["mlpp"]}, "space.families names 'mlpp'", 'write "mlp"'),
        ({"families": "mlp"}, "space.families = 'mlp'", "write ['mlp']"),
        ({"mlp": {"widht": [32]}}, "space.mlp names 'widht'", 'write "width"'),
        ({"mlp": {"activation": "rellu"}}, "space.mlp.activation = 'rellu'", 'write "relu"'),
        ({"mlp": {"width": [48]}}, "space.mlp.width = 48", "choose one of these"),
        ({"mlp": {"width": []}}, "space.mlp.width = []", "one of these at least"),
        ({"mlp": {"width": {"low": 200}}}, "between which there is none", "write a list of these"),
        ({"mlp": {"smoothing": {"log": True}}}, "smoothing.log = True", "write log = false"),
        ({"mlp": {"width": True}}, "space.mlp.width = True", "choose one of these"),
        ({"mlp": {"rate": {"lo": 1e-3}}}, "space.mlp.rate names 'lo'", 'write "low"'),
        ({"mlp": {"rate": [1.0]}}, "space.mlp.rate = 1.0", "write a number between them"),
        ({"mlp": {"depth": {"low": 2.5}}}, "space.mlp.depth", "low = 1, high = 4"),
        ({"mlp": {"rate": {"low": 0.1, "high": 0.01}}}, "space.mlp.rate", "low = 0.0001"),
        ({"mlp": {"width": {"low": "a"}}}, "space.mlp.width.low = 'a'", "write a number"),
        ({"mlp": {"rate": {"high": True}}}, "space.mlp.rate.high = True", "leave high out"),
        ({"mlp": {"epochs": "many"}}, "space.mlp.epochs = 'many'", "write 20"),
        ({"mlp": [64]}, "space.mlp = [64]", "write [space.mlp]"),
    ],
)
def test_what_no_family_has_is_refused_with_the_nearest_name(wanted, given, todo):
    with pytest.raises(InputError) as error:
        narrow_spaces(FAMILIES, FACTS, wanted)
    assert given in error.value.given
    assert todo in error.value.todo
