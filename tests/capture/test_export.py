"""Exporting models: control flow, errors that say where, and what other threads see of it."""

import logging
import sys
import threading
import warnings

import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn

import relprop
from relprop.capture.export import export_graph
from relprop.capture.isolated_copy import isolated_copy
from relprop.explanation.check_inputs import check_inputs


class Fixed(nn.Module):
    def forward(self, x):
        return x.reshape(2, -1)[:, :3]


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Two(nn.Module):
    def forward(self, x):
        return x, x + 1


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Fixed(), "one batch size only"),
        (Branching(), "do not depend on the values of its input"),
        (Two(), "returns 2 tensors"),
    ],
)
def test_a_model_that_cannot_be_captured_is_refused(model, message):
    with pytest.raises(relprop.RelpropError, match=message):
        relprop.explain(model.eval(), signed(2, 4).float())


class Loops(nn.Module):
    """An `if` and a `for` over the values of the input."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        layer = self.a if x.sum() > 0 else self.b
        for _ in range(1 + int(x.abs().max())):
            x = layer(x).relu_()
        return self.head(x)


@pytest.fixture(scope="module")
def loops() -> nn.Module:
    return randomise(Loops()).double()


@pytest.mark.filterwarnings("ignore::relprop.errors.VanishingWarning")
def test_control_flow_over_numbers_is_followed_for_each_input(loops):
    explainer = relprop.Explainer(loops, "zero", capture="per-input")
    for scale in (0.3, -0.3, 2.0, -4.0, 0.3):
        x = signed(3, 4).abs() * scale
        e = explainer(x, target=1, ledger=True)
        torch.testing.assert_close(e.output, loops(x).detach())
        torch.testing.assert_close(e.relevance, gradient_times_input(loops, x))
        assert e.ledger.error < 1e-9


class Hidden(nn.Module):
    """An `if` and a `while` over values that come out of layers."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        h = self.a(x)
        h = self.b(h.relu()) if h.sum() > 0 else h
        while h.abs().max() > 0.3:
            h = h * 0.5
        return self.head(h)


@pytest.mark.parametrize("sign", [1, -1])
def test_control_flow_over_hidden_values_is_followed(sign):
    model, x = randomise(Hidden()).double(), signed(3, 4)
    model.a.bias.data.fill_(50.0 * sign)
    assert bool(model.a(x).sum() > 0) == (sign > 0)
    e = relprop.Explainer(model, "zero", capture="per-input")(x, target=1)
    torch.testing.assert_close(e.output, model(x).detach())
    torch.testing.assert_close(e.relevance, gradient_times_input(model, x))


def test_control_flow_over_numbers_is_refused_otherwise(loops):
    with pytest.raises(relprop.RelpropError) as error:
        relprop.explain(loops, signed(3, 4))
    assert "Loops" in error.value.given
    assert "data-dependent" in error.value.given
    assert 'capture="per-input"' in error.value.todo
    assert str(error.value).count("\n") == 2


def test_the_module_that_cannot_be_read_is_named():
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(Loops()))
    with pytest.raises(relprop.RelpropError, match=r'Sequential, in "1\.0", on an input of shape'):
        relprop.explain(model.eval(), signed(3, 4).float())


def test_nothing_is_printed_by_torch(loops, capfd):
    with pytest.raises(relprop.RelpropError):
        relprop.explain(loops, signed(3, 4))
    assert capfd.readouterr() == ("", "")


def gradient_times_input(model, x) -> torch.Tensor:
    leaf = x.clone().requires_grad_()
    return x * torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)[0]


class Misfit(nn.Module):
    """A product of matrices that do not fit."""

    def forward(self, x):
        return x @ torch.ones(5, 3)


@pytest.mark.parametrize("capture", ["export", "per-input"])
def test_a_failed_capture_prints_and_logs_nothing(capture, capfd, caplog):
    for model in (Misfit(), Branching()) if capture == "export" else (Misfit(),):
        with pytest.raises(relprop.RelpropError):
            relprop.Explainer(model.eval(), "zero", capture=capture)(signed(2, 4).float())
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# ---- other threads -----------------------------------------------------------------------


class Stream:
    """A stderr that counts the lines of the other thread."""

    def __init__(self):
        self.lines = 0

    def write(self, text):
        self.lines += text.count("other thread")

    def flush(self):
        """Nothing is buffered."""


def capture(model, x):
    inputs = check_inputs(model, x, None)
    export_graph(isolated_copy(model), inputs, None, per_input=False)


def beside_captures(act) -> int:
    """Call `act` over and over in another thread while models are captured; return how often."""
    ended, count = threading.Event(), 0

    def run():
        nonlocal count
        while not ended.wait(0.001):
            act()
            count += 1

    thread = threading.Thread(target=run)
    thread.start()
    try:
        for model in (Branching(), Misfit()):
            with pytest.raises(relprop.RelpropError):
                capture(model, signed(2, 4).float())
        capture(
            nn.Sequential(nn.LSTM(4, 3, batch_first=True), Last()).eval(), signed(2, 5, 4).float()
        )
    finally:
        ended.set()
        thread.join()
    assert count > 10
    return count


class Last(nn.Module):
    """The output of a recurrent layer, at the last position."""

    def forward(self, states):
        return states[0][:, -1]


def test_another_thread_loses_no_line_on_stderr(monkeypatch):
    """Each line is there at once, not only at the end of a capture."""
    stream, missing = Stream(), []
    monkeypatch.setattr(sys, "stderr", stream)

    def act():
        before = stream.lines
        print("other thread", file=sys.stderr)
        if stream.lines != before + 1:
            missing.append(before)

    count = beside_captures(act)
    assert (stream.lines, missing) == (count, [])


@pytest.mark.parametrize("name", ["torch.export", "torch.fx.experimental.symbolic_shapes"])
def test_another_thread_loses_no_log_message(name):
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logging.getLogger(name).addHandler(handler)
    try:
        count = beside_captures(lambda: logging.getLogger(name).warning("other thread"))
    finally:
        logging.getLogger(name).removeHandler(handler)
    assert [record.msg for record in records] == ["other thread"] * count


class WarnsBesides(nn.Module):
    """Another thread warns while this model is captured, at one known moment.

    Not at any moment: torch swaps Python's list of filters now and then while it exports, and what
    another thread warns of in between is lost to all.
    """

    def forward(self, x):
        text = "x was assigned during export"
        thread = threading.Thread(target=lambda: warnings.warn(text, stacklevel=1))
        thread.start()
        thread.join()
        return x.relu()


def test_another_thread_loses_no_warning():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        capture(WarnsBesides(), signed(2, 4).float())
        lstm = nn.LSTM(4, 3, batch_first=True)
        capture(nn.Sequential(lstm, Last()).eval(), signed(2, 5, 4).float())
    texts = [str(warning.message) for warning in caught]
    assert texts.count("x was assigned during export") >= 1
    assert [text for text in texts if "tensor attribute" in text or "LeafSpec" in text] == []


def test_a_filter_of_warnings_that_is_set_meanwhile_stays():
    class Filters(nn.Module):
        def forward(self, x):
            warnings.filterwarnings("ignore", "set meanwhile")
            return x.relu()

    with warnings.catch_warnings():
        capture(Filters(), signed(2, 4).float())
        warnings.warn("set meanwhile", stacklevel=1)


FUSED_ELSEWHERE = set()


class Encoder(nn.Module):
    """Layers that torch runs as one fused operation where a model is not trained."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1)

    def forward(self, x):
        FUSED_ELSEWHERE.add(torch.backends.mha.get_fastpath_enabled())
        with torch.no_grad():
            return self.encoder(x)[:, -1]


@pytest.mark.parametrize("capture", ["export", "per-input"])
def test_fused_layers_are_written_out_and_stay_fused_in_other_threads(capture):
    """Torch has one switch for all threads. Inside torch.export, nothing fuses anyway."""
    model, x = randomise(Encoder()).double().requires_grad_(False), signed(2, 3, 4)
    explainer = relprop.Explainer(model, "attnlrp", capture=capture)
    operations = [node.operation for node in explainer.plan(x).graph.nodes]
    assert operations.count("linear") >= 3
    torch.testing.assert_close(explainer(x, target=1).output, model(x))
    assert {True} == FUSED_ELSEWHERE
