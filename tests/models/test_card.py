"""Model cards: JSON and back, and what is no card."""

from dataclasses import replace

import pytest

from relprop.errors import InputError
from relprop.models import SHIPPED, ModelCard, model_card, shipped_models

CARD = ModelCard(
    "small", input_shape=(1, 8, 8), architecture=({"layer": "relu"},), seed=3, accuracy=0.5
)


def with_field(**changes) -> str:
    return replace(CARD, **changes).to_json()


def test_a_card_comes_back_from_its_json():
    assert ModelCard.from_json(CARD.to_json()) == CARD


@pytest.mark.parametrize("name", shipped_models())
def test_a_shipped_card_is_written_as_it_was(name):
    assert model_card(name).to_json() == (SHIPPED / f"{name}.json").read_text()


def test_a_card_is_frozen():
    with pytest.raises(AttributeError):
        CARD.seed = 4
    assert replace(CARD, seed=4).seed == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "missing or unknown"),
        ("{}", "missing or unknown"),
        (CARD.to_json().replace("3", '"three"'), "seed is 'three'"),
        ("[" * 100_000, "not JSON"),
        ("9" * 5000, "not JSON"),
        (with_field(parameters=-1), "parameters is -1"),
        (with_field(parameters=10**400), r"parameters is 1000.*\.\.\."),
        (with_field(epochs=0), "epochs is 0"),
        (with_field(seed=10**400), "seed is 1000"),
        (with_field(accuracy=float("nan")), "accuracy is nan"),
        (with_field(accuracy=99.5), "accuracy is 99.5"),
        (with_field(input_shape=()), r"input_shape is \(\)"),
        (with_field(input_shape=(1, True)), r"input_shape is \(1, True\)"),
        (with_field(input_shape=(1, -8)), r"input_shape is \(1, -8\)"),
    ],
)
def test_what_is_no_card_is_an_error(text, message):
    with pytest.raises(InputError, match=message):
        ModelCard.from_json(text)
