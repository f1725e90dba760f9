"""The callback of Lightning, in real trainings with its own loggers."""

import copy
import random
import sys
from io import BytesIO

import numpy
import pytest
import torch
from helpers.networks import small_cnn
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.utils.data import DataLoader

import relprop
from relprop.integrations.lightning import LogExplanations
from relprop.support.figures import figure_bytes

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's, about workers and small data

X, LABELS = torch.rand(10, 2, 12, 12), torch.arange(10) % 4
CALLS, SEEN = [], []  # calls of forward; random numbers and modes in training steps


class Net(LightningModule):
    """A CNN with a frozen part in eval mode; it draws random numbers in forward and each step."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net, self.frozen = small_cnn(), nn.BatchNorm2d(2)
        self.frozen.eval()

    def forward(self, x):
        CALLS.append("forward")
        random.random(), numpy.random.rand()
        return self.net(self.frozen(x))

    def training_step(self, batch, index):
        x, labels = batch
        draws = torch.rand(()).item(), numpy.random.rand(), random.random()
        SEEN.append((draws, [module.training for module in self.modules()]))
        return nn.functional.cross_entropy(self(x), labels) * (1 + sum(draws))

    def validation_step(self, batch, index):
        self.log("loss", nn.functional.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def train(tmp_path, callbacks, logger=None, epochs=2, model=None, **options):
    CALLS.clear(), SEEN.clear()
    torch.manual_seed(1), numpy.random.seed(1), random.seed(1)
    trainer = Trainer(
        default_root_dir=tmp_path,
        max_epochs=epochs,
        logger=False if logger is None else logger,
        callbacks=callbacks,
        accelerator="cpu",
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        **options,
    )
    model, data = model or Net(), list(zip(X, LABELS, strict=True))
    loader = DataLoader(data, batch_size=5, shuffle=True)
    trainer.fit(model, loader, DataLoader(data, batch_size=5))
    return model


def picture(source) -> numpy.ndarray:
    return numpy.asarray(Image.open(source).convert("RGB"))


def drawn(model: Net, x: torch.Tensor) -> numpy.ndarray:
    """Draw what a callback should, by the package's own calls."""
    model = copy.deepcopy(model).eval()
    return picture(BytesIO(figure_bytes(relprop.explain(model, x).plot(slice(None)), "png")))


@pytest.mark.slow
def test_a_logger_without_pictures_gets_files(tmp_path):
    """The last one shows the trained model; the one before another."""
    logger = CSVLogger(tmp_path)
    model = train(tmp_path, [LogExplanations(X)], logger)
    files = sorted((tmp_path / "lightning_logs" / "version_0" / "explanations").iterdir())
    assert [file.name for file in files] == ["epoch-0000.png", "epoch-0001.png"]
    want = drawn(model, X)  # of all ten, though a plot shows eight
    assert (picture(files[1]) == want).all()
    assert (picture(files[0]) != want).any()


def test_without_a_logger_the_files_are_in_the_root_folder(tmp_path):
    train(tmp_path, [LogExplanations(X[:2], every_n_epochs=2)], epochs=5)
    files = sorted((tmp_path / "explanations").iterdir())
    assert [file.name for file in files] == ["epoch-0001.png", "epoch-0003.png"]


def test_tensorboard_gets_figures(tmp_path):
    logger = TensorBoardLogger(tmp_path)
    train(tmp_path, [LogExplanations(X[:2])], logger)
    events = EventAccumulator(logger.log_dir)
    events.Reload()
    images = events.Images("explanations")
    assert [image.step for image in images] == [2, 4]  # two batches in an epoch
    assert images[0].encoded_image_string != images[1].encoded_image_string
    assert not (tmp_path / "explanations").exists()


class Pictures(Logger):
    """A logger with the interface for images that those of services have."""

    name, version, save_dir, experiment = "pictures", 0, "", None

    def __init__(self):
        super().__init__()
        self.images = []

    def log_metrics(self, metrics, step=None):
        pass

    def log_hyperparams(self, params, *args, **kwargs):
        pass

    def log_image(self, key, images, step=None):
        self.images += [(key, step, numpy.asarray(image.convert("RGB"))) for image in images]


def test_a_logger_of_images_gets_them_beside_a_file_for_another_logger(tmp_path):
    pictures, csv = Pictures(), CSVLogger(tmp_path)
    model = train(tmp_path, [LogExplanations(X[:2])], [csv, pictures])
    assert [image[:2] for image in pictures.images] == [("explanations", 2), ("explanations", 4)]
    assert (pictures.images[1][2] == drawn(model, X[:2])).all()
    assert len(list((tmp_path / "lightning_logs/version_0/explanations").iterdir())) == 2


def test_the_training_is_the_same_with_and_without(tmp_path):
    """Weights, buffers, random numbers, and the mode of each module, to the last bit."""
    plain = train(tmp_path, [])
    seen = SEEN.copy()
    logged = train(tmp_path, [LogExplanations(X, target=1, recipe="epsilon")])
    assert seen == SEEN
    assert all(modes[0] and not modes[-1] for _, modes in SEEN)  # the frozen part is the last
    for name, value in plain.state_dict().items():
        assert torch.equal(value, logged.state_dict()[name]), name
    for one, other in zip(plain.parameters(), logged.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None)
        assert one.grad is None or torch.equal(one.grad, other.grad)


@pytest.mark.slow
def test_the_model_is_not_captured_again_in_each_epoch(tmp_path):
    """Captures run forward; one more epoch runs it for its two batches, and to validate these."""
    calls = []
    for epochs in (3, 4):
        train(tmp_path, [LogExplanations(X[:2])], epochs=epochs)
        calls.append(len(CALLS))
    assert calls[1] - calls[0] == 4


def test_samples_take_the_precision_of_the_training(tmp_path):
    train(tmp_path, [LogExplanations(X[:2])], precision="64-true")
    assert len(list((tmp_path / "explanations").iterdir())) == 2


class Started(Callback):
    """Notes whether the training was begun."""

    training = False

    def on_train_start(self, trainer, pl_module):
        self.training = True


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (lambda: LogExplanations(X[0]), r"x\[None\]"),
        (lambda: LogExplanations(X, target=9), "class 9 of a model with 4 classes"),
        (lambda: LogExplanations(X, colours="x"), "the option 'colours' of a plot"),
        (lambda: LogExplanations(X, recipe="epsilom"), '"epsilon"'),
        (lambda: LogExplanations(X, 0), "every_n_epochs is 0"),
        (lambda: LogExplanations(X, 1.5), "every_n_epochs is 1.5"),
        (lambda: LogExplanations(X, True), "every_n_epochs is True"),
    ],
    ids=["samples", "target", "plot", "recipe", "never", "fraction", "bool"],
)
def test_what_is_wrong_is_told_before_the_training(tmp_path, callback, message):
    started = Started()
    with pytest.raises(relprop.RelpropError, match=message):
        train(tmp_path, [started, callback()])
    assert not started.training


class AnySize(Net):
    """Takes pictures of any size."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 4))


def test_a_figure_that_cannot_be_written_is_told_before_the_training(tmp_path):
    """A picture 25,000 times as high as wide, drawn 2 inches wide, is 10 million pixels high."""
    started, tall = Started(), LogExplanations(torch.rand(1, 2, 50_000, 2))
    with pytest.raises(ValueError, match="Image size of"):
        train(tmp_path, [started, tall], model=AnySize())
    assert not started.training


def test_lightning_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    monkeypatch.delattr(relprop.integrations, "lightning")
    monkeypatch.delitem(sys.modules, "relprop.integrations.lightning")
    with pytest.raises(relprop.errors.MissingExtraError, match=r"relprop\[train\]"):
        _ = relprop.integrations.lightning
