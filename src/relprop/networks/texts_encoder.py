"""A pretrained encoder of the `transformers` library with a linear head.

Takes token ids (n, tokens), 0 for padding, whatever the encoder pads with. Gives scores
(n, outputs). The encoder is read from its folder, or made of its configuration, where weights are
loaded afterwards. Must not know texts or training.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from ..errors import FileError
from ..support.extras import needs
from .family import Facts, Settings
from .sequences import masked_mean

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_PURPOSE = "fit", "a pretrained encoder"


class Encoder(nn.Module):
    """The mean of the encoder's last states over the tokens, and a linear layer.

    In training the layers that are not tuned stay as they are, in eval mode.
    """

    def __init__(self, settings: Settings, facts: Facts) -> None:
        super().__init__()
        with torch.device("cpu"):  # it has buffers that no state dict holds, and nothing would fill
            self.encoder = _load(facts.encoder)
        self.tuned = _unfreeze(self.encoder, int(settings["tuned"]))
        self.dropout = nn.Dropout(float(settings["dropout"]))
        self.head = nn.Linear(self.encoder.config.hidden_size, facts.outputs)

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids (n, tokens) to (n, outputs)."""
        if self.training:
            used = (ids != 0).any(0).nonzero()
            ids = ids[:, : int(used.max()) + 1]  # padding at the end of all costs time alone
        present = ids != 0
        vectors = self.encoder.get_input_embeddings()(ids)
        states = self.encoder(inputs_embeds=vectors, attention_mask=present.long())
        mean = masked_mean(states.last_hidden_state, present)
        return self.head(self.dropout(mean))  # type: ignore[no-any-return]

    def train(self, mode: bool = True) -> Self:
        """Set the mode, but of the layers that are not tuned."""
        super().train(mode)
        self.encoder.train(False)
        for layer in self.tuned:
            layer.train(mode)
        return self


def without_folder(facts: Facts) -> Facts:
    """Return facts that a bundle can hold: the encoder's configuration in place of its folder."""
    if not facts.encoder or _is_configuration(facts.encoder):
        return facts
    with needs(*_PURPOSE):
        from transformers import AutoConfig
    folder = _folder(facts.encoder)
    configuration = AutoConfig.from_pretrained(folder, local_files_only=True).to_dict()
    configuration.pop("_name_or_path", None)  # where the folder was is nothing to pass on
    return replace(facts, encoder=json.dumps(configuration))


def _is_configuration(encoder: str) -> bool:
    return encoder.startswith("{")


def _load(encoder: str) -> "PreTrainedModel":
    """Read an encoder from its folder, or make one of its configuration; 0 pads its ids."""
    with needs(*_PURPOSE):
        from transformers import AutoConfig, AutoModel
    if _is_configuration(encoder):
        configuration = AutoConfig.for_model(**json.loads(encoder))
        model = AutoModel.from_config(configuration)  # type: ignore[no-untyped-call]
    else:
        with _quiet():
            model = AutoModel.from_pretrained(
                _folder(encoder), local_files_only=True, dtype=torch.float32
            )
        _move_padding(model.get_input_embeddings().weight, model.config.pad_token_id or 0)
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # it reads the first token, and the head reads the mean
    return model  # type: ignore[no-any-return]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library from drawing a progress bar."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


@torch.no_grad()
def _move_padding(vectors: Tensor, padding: int) -> None:
    """Let the vectors of id 0 and of the encoder's own padding change places."""
    vectors[[0, padding]] = vectors[[padding, 0]].clone()


def _folder(encoder: str) -> str:
    if not Path(encoder, "config.json").is_file():
        given = f"encoder {encoder!r}: no config.json there"
        allowed = "a folder of transformers, with config.json and weights"
        raise FileError(given, allowed, "give the folder that save_pretrained wrote")
    return encoder


def _unfreeze(encoder: "PreTrainedModel", tuned: int) -> list[nn.Module]:
    """Freeze an encoder but for its last layers, which are returned."""
    encoder.requires_grad_(False)
    lists = [list(module) for module in encoder.modules() if isinstance(module, nn.ModuleList)]
    layers = max(lists, key=len, default=[])
    last = layers[max(0, len(layers) - tuned) :]
    for layer in last:
        layer.requires_grad_(True)
    return last
