"""Conditions on sizes: what they say of shapes, how they are written and read, what is refused."""

import json

import pytest

from relprop.graph.sizes import Condition, Sizes

PLACES = {"s0": ("ids", 1), "s1": ("x", 2)}


@pytest.mark.parametrize(
    ("text", "length", "width", "true"),
    [
        ("s0 <= 512", 512, 2, True),
        ("s0 <= 512", 513, 2, False),
        ("(1 + (((-1) + s1) // 2)) != 1", 2, 2, False),
        ("(1 + (((-1) + s1) // 2)) != 1", 2, 3, True),
        ("s0 % 8 == 0", 16, 2, True),
        ("s0 * s1 > 2 * s0 + s1 - 1", 3, 4, True),
        ("s0 // (s1 - 2) == 0", 3, 2, True),
        ("s0 == 4 or s0 % 8 == 0", 4, 2, True),
        ("s0 == 4 or s0 % 8 == 0", 12, 2, False),
        ("s0 > 2 and s1 > 2", 3, 2, False),
        ("max(1, s0 - 4) * min(s1, 3) != 3", 5, 4, False),
        ("max(1, s0 - 4) * min(s1, 3) != 3", 6, 4, True),
    ],
)
def test_a_condition_is_that_of_python(text, length, width, true):
    shapes = {"ids": (2, length), "x": (2, 3, width)}
    assert Condition(text, PLACES).holds(shapes) == true


REFUSED = ("s2 > 1", "print(s0)", "s0 ** 9", "s0 > 0.5", "s0 <", "not s0", "max", "max() > 1")


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_comparison_of_sizes_is_refused(text):
    with pytest.raises(ValueError, match=r"the name \w+|in a condition|no Python"):
        Condition(text, PLACES)


SIZES = Sizes(
    captured={"ids": (2, 12), "x": (2, 3, 8)},
    batched=("ids", "x"),
    free=frozenset([("ids", 1)]),
    fixed={("x", 2): "net.py:7 in forward: `n = len(x)`", ("x", 1): ""},
    conditions=(Condition("s0 <= 512", PLACES),),
)


@pytest.mark.parametrize(
    ("ids", "x", "true"),
    [
        ((2, 40), (2, 3, 8), True),
        ((7, 40), (7, 3, 8), True),
        ((2, 600), (2, 3, 8), False),
        ((2, 40), (2, 3, 9), False),
        ((2, 40), (2, 4, 8), False),
    ],
)
def test_shapes_hold_that_differ_in_open_sizes_alone(ids, x, true):
    assert SIZES.hold({"ids": ids, "x": x}) == true


def test_sizes_are_said_and_come_back_from_json():
    line = "x.shape[2] = 8, fixed by net.py:7 in forward: `n = len(x)`"
    fixed = f"x.shape[1] = 3, fixed by the code of the model; {line}"
    assert str(SIZES) == f"any ids.shape[1]; where ids.shape[1] <= 512; {fixed}"
    again = Sizes.read(json.loads(json.dumps(SIZES.to_document())))
    assert str(again) == str(SIZES)
    assert again.to_document() == SIZES.to_document()


@pytest.mark.parametrize(
    "changed",
    [
        {"free": [["ids", 5]]},
        {"captured": {"ids": [2, -1]}},
        {"conditions": [["__import__('os')", {}]]},
        {"conditions": [["s0 > 1", {"s0": ["other", 1]}]]},
    ],
)
def test_a_document_that_says_something_else_is_refused(changed):
    with pytest.raises((ValueError, KeyError)):
        Sizes.read({**SIZES.to_document(), **changed})
