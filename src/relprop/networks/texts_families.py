"""Families of networks for texts: what may be searched, and a default for each.

Must not know data or training.
"""

from collections.abc import Callable

from torch import nn

from .family import Choice, Facts, NetworkFamily, Range, Settings, Space, Value
from .texts_encoder import Encoder
from .texts_ngrams import Ngrams
from .texts_sequences import TextCNN, text_gru, text_transformer

_WORDS: dict[str, Value] = {"tokens": "words", "vocabulary": 30_000, "length": 256}


def _training(rate: float, epochs: int, **more: Value) -> dict[str, Value]:
    return {
        **{"optimiser": "adamw", "rate": rate, "decay": 1e-2, "batch": 64, "epochs": epochs},
        **{"smoothing": 0.1, "average": 0.0, "members": 1, "mixup": 0.0, "word_dropout": 0.0},
        **more,
    }


def _ngrams(facts: Facts) -> Settings:
    tokens: dict[str, Value] = {"tokens": "ngrams", "vocabulary": 200_000, "length": 1024}
    training = _training(0.3, 10, optimiser="sgd", decay=0.0, smoothing=0.0)
    return {**tokens, **training, "strength": 0.1}


def _ngrams_space(facts: Facts) -> Space:
    return {
        "rate": Range(0.05, 1.0, log=True),
        "strength": Range(0.03, 0.3, log=True),
        "word_dropout": Choice((0.0, 0.2, 0.5)),
        "vocabulary": Choice((20_000, 200_000)),
    }


def _sequence(
    name: str, build: Callable[[Settings, Facts], nn.Module], **network: Value
) -> NetworkFamily:
    def default(facts: Facts) -> Settings:
        return {**_WORDS, **_training(2e-3, 10), "word_dropout": 0.1, "dropout": 0.3, **network}

    def space(facts: Facts) -> Space:
        depth: Space = {"depth": Choice((1, 2))} if "depth" in network else {}
        return {
            "width": Choice((64, 128, 256)),
            "rate": Range(3e-4, 3e-3, log=True),
            "dropout": Choice((0.1, 0.3, 0.5)),
            "word_dropout": Choice((0.0, 0.1, 0.2)),
            "smoothing": Choice((0.0, 0.1)),
            **depth,
        }

    return NetworkFamily(name, "text", build, space, default)


def _encoder(facts: Facts) -> Settings:
    tokens: dict[str, Value] = {"tokens": "encoder", "length": 256}
    return {**tokens, **_training(2e-4, 2, batch=32), "tuned": 3, "dropout": 0.1}


def _encoder_space(facts: Facts) -> Space:
    return {
        "tuned": Range(0, 6, whole=True),
        "rate": Range(3e-5, 1e-3, log=True),
        "dropout": Choice((0.0, 0.1, 0.3)),
        "smoothing": Choice((0.0, 0.1)),
    }


TEXT_FAMILIES = (
    NetworkFamily("ngrams", "text", Ngrams, _ngrams_space, _ngrams),
    _sequence("textcnn", TextCNN, width=128),
    _sequence("gru", text_gru, width=128, depth=1),
    _sequence("transformer", text_transformer, width=128, depth=2),
)
ENCODER = NetworkFamily("encoder", "text", Encoder, _encoder_space, _encoder)
