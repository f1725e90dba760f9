"""The callback in a real training of Lightning: what steps get, captures, and wrong arguments."""

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader

from relprop.errors import InputError
from relprop.use import RelevanceDrop, RelevanceDropCallback

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's, about workers and small data

X, Y = torch.rand(12, 1, 8, 8) + 1, torch.arange(12) % 3
FORWARDS, SEEN = [], []  # modes of calls of forward; batches of steps


class Net(LightningModule):
    """A network with dropout that is also an attribute, and logs."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Dropout())
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        FORWARDS.append(self.training)
        return self.head(self.net(x))

    def training_step(self, batch, index):
        x, y = batch
        SEEN.append((x.clone(), [one.training for one in self.modules()]))
        loss = nn.functional.cross_entropy(self(x), y)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def train(tmp_path, callback, batches=None):
    FORWARDS.clear(), SEEN.clear()
    trainer = Trainer(
        default_root_dir=tmp_path,
        max_epochs=2,
        accelerator="cpu",
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    pairs = list(zip(X, Y, strict=True))
    trainer.fit(Net(), DataLoader(pairs, batch_size=4) if batches is None else batches)
    return trainer


def test_steps_get_masked_batches_and_the_model_is_captured_once(tmp_path):
    before = X.clone()
    train(tmp_path, RelevanceDropCallback(RelevanceDrop(0.25, 4, probability=1.0)))
    assert len(SEEN) == 6
    for x, modes in SEEN:
        assert x.eq(0).sum((1, 2, 3)).tolist() == [16] * 4
        assert all(modes)
    assert X.equal(before)
    captures = [number for number, mode in enumerate(FORWARDS) if not mode]
    assert captures
    assert captures == list(range(len(captures)))  # before the first step alone
    assert len(FORWARDS) - len(captures) == 6


def test_one_module_of_several_is_explained(tmp_path):
    """The attribute `net` returns 8 numbers, so that classes 0 to 2 are among its outputs."""
    train(tmp_path, RelevanceDropCallback(RelevanceDrop(0.25, 4, probability=1.0), network="net"))
    assert all(x.eq(0).any() for x, _ in SEEN)
    assert all(FORWARDS)


def test_wrong_arguments_and_batches_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"drop of type float\n.*a RelevanceDrop"):
        RelevanceDropCallback(0.25)
    with pytest.raises(InputError, match=r'layer="1"(.|\n)*drop.forward\(self, x, y\)'):
        RelevanceDropCallback(RelevanceDrop(layer="1"))
    drop = RelevanceDrop(0.25, 4)
    with pytest.raises(InputError, match=r'network "nets"\n.*"net", "head"\n.*write "net"'):
        train(tmp_path, RelevanceDropCallback(drop, network="nets"))
    batches = DataLoader([{"x": x, "y": y} for x, y in zip(X, Y, strict=True)], batch_size=4)
    with pytest.raises(InputError, match=r"a training batch of type dict(.|\n)*training_step"):
        train(tmp_path, RelevanceDropCallback(drop), batches)
