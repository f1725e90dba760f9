"""LSTM, GRU and RNN against their definition in reference_recurrent.py, in float64."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch
from helpers import reference_rules as reference
from helpers.networks import randomise, signed
from helpers.reference_recurrent import ForwardPass, Shares, to_numpy
from torch import Tensor, nn

import relprop
from relprop.program import lowering

CLOSE = 1e-9  # of the norm
INPUTS, UNITS, LENGTH, BATCH = 3, 4, 5, 3

KINDS: dict[str, Callable[..., nn.RNNBase]] = {
    "LSTM": nn.LSTM,
    "GRU": nn.GRU,
    "RNN, tanh": nn.RNN,
    "RNN, ReLU": lambda *sizes, **how: nn.RNN(*sizes, nonlinearity="relu", **how),
}
SETTINGS: dict[str, dict[str, object]] = {
    "one layer": {"batch_first": True},
    "no bias": {"batch_first": True, "bias": False},
    "two layers": {"batch_first": True, "num_layers": 2, "dropout": 0.5},
    "both ways": {"batch_first": True, "bidirectional": True},
    "two layers both ways": {"batch_first": True, "num_layers": 2, "bidirectional": True},
    "time first": {"num_layers": 2, "bidirectional": True},
}
# What a head may take as its input. An RNN and a GRU have no c.
TAKEN = ("sequence", "last output", "h_n", "c_n")


class Reader(nn.Module):
    """A recurrent layer, and for each of `taken` a linear head with one score."""

    def __init__(self, layer: nn.RNNBase, taken: tuple[str, ...] = TAKEN) -> None:
        super().__init__()
        self.layer = layer
        self.taken = taken[: 4 if isinstance(layer, nn.LSTM) else 3]
        directions = 1 + layer.bidirectional
        width = directions * layer.hidden_size
        state = width * layer.num_layers
        widths = {"sequence": width * LENGTH, "last output": width, "h_n": state, "c_n": state}
        self.heads = nn.ModuleList(nn.Linear(widths[what], 1) for what in self.taken)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, taken) of x (batch, length, inputs)."""
        output, states = self.layer(x if self.layer.batch_first else x.transpose(0, 1))
        output = output if self.layer.batch_first else output.transpose(0, 1)
        h, c = states if isinstance(states, tuple) else (states, states)
        seen = {
            "sequence": output.flatten(1),
            "last output": output[:, -1],
            "h_n": h.transpose(0, 1).flatten(1),
            "c_n": c.transpose(0, 1).flatten(1),
        }
        scores = [head(seen[w]) for head, w in zip(self.heads, self.taken, strict=True)]
        return torch.cat(scores, 1)


class Readers(nn.Module):
    """Several readers of the same input, with their scores concatenated."""

    def __init__(self, readers: list[Reader]) -> None:
        super().__init__()
        self.readers = nn.ModuleList(readers)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, scores)."""
        return torch.cat([reader(x) for reader in self.readers], 1)


def expected_relevance(
    reader: Reader, x: Tensor, k: int, how: Shares, head: str = "epsilon"
) -> Tensor:
    """Compute the reference relevance of a batch x for score k of a reader."""
    maps = []
    for sample in x:
        passed = ForwardPass.forward(reader.layer, to_numpy(sample))
        what = reader.taken[k]
        values = {"sequence": passed.output, "last output": passed.output[-1:]}
        values |= {"h_n": passed.h, "c_n": passed.c}
        value = torch.from_numpy(values[what])
        at, linear = value.reshape(-1), reader.heads[k]
        weights = reference.Affine(at, linear.weight.detach(), linear.bias.detach(), None)
        score = linear(at).detach()
        shares = reference.RULES[head](weights) @ score
        relevance = to_numpy(shares).reshape(value.shape)
        if what == "last output":
            above = np.zeros((LENGTH - 1, passed.output.shape[1]))
            relevance = np.concatenate([above, relevance])
        place = {"h_n": "h", "c_n": "c"}.get(what, "output")
        maps.append(torch.from_numpy(passed.back(how, **{place: relevance})))
    return torch.stack(maps)


def difference(got: Tensor, want: Tensor) -> float:
    """Of the norm."""
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    return ((got - want).norm() / want.norm()).item()


def recurrent(epsilon: float, head: str = "epsilon") -> relprop.Recipe:
    """Return the preset `head` with an epsilon for recurrent layers."""
    chosen = relprop.Selector(kinds=("recurrent",))
    return relprop.Recipe.preset(head).using(chosen, "signal-takes-all", epsilon=epsilon)


@dataclass(frozen=True)
class Case:
    """All settings of one kind in one network: capturing it takes longer than explaining it."""

    net: Readers
    x: Tensor
    explainer: relprop.Explainer

    def scores(self, setting: str) -> tuple[Reader, int]:
        """Return the reader of a setting, and where its scores begin."""
        place = list(SETTINGS).index(setting)
        readers = list(self.net.readers)
        return readers[place], sum(len(r.taken) for r in readers[:place])


@cache
def case(kind: str) -> Case:
    """Build the network of a kind, with random weights and input."""
    layers = [KINDS[kind](INPUTS, UNITS, **how) for how in SETTINGS.values()]
    net = randomise(Readers([Reader(layer) for layer in layers]).double())
    x = signed(BATCH, LENGTH, INPUTS)
    return Case(net, x, relprop.Explainer(net, recurrent(1e-3)))


EACH_KIND = pytest.mark.parametrize("kind", KINDS)
EACH_SETTING = pytest.mark.parametrize("setting", SETTINGS)


@EACH_KIND
@EACH_SETTING
def test_the_reference_computes_what_torch_computes(kind, setting):
    reader, _ = case(kind).scores(setting)
    x = case(kind).x
    output, states = reader.layer(x if reader.layer.batch_first else x.transpose(0, 1))
    output = output if reader.layer.batch_first else output.transpose(0, 1)
    h, c = states if isinstance(states, tuple) else (states, None)
    for i, sample in enumerate(x):
        passed = ForwardPass.forward(reader.layer, to_numpy(sample))
        np.testing.assert_allclose(passed.output, to_numpy(output[i]), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(passed.h, to_numpy(h[:, i]), rtol=1e-12, atol=1e-14)
        if c is not None:
            np.testing.assert_allclose(passed.c, to_numpy(c[:, i]), rtol=1e-12, atol=1e-14)


@EACH_KIND
@EACH_SETTING
def test_signal_takes_all(kind, setting):
    """Whichever of the layer's outputs is explained; epsilon is 1e-3 by default."""
    network = case(kind)
    reader, first = network.scores(setting)
    for k in range(len(reader.taken)):
        e = network.explainer(network.x, target=first + k, ledger=True)
        assert (
            difference(e.relevance, expected_relevance(reader, network.x, k, Shares(1e-3))) < CLOSE
        )
        assert e.ledger.error < 1e-9


@EACH_KIND
@pytest.mark.parametrize("epsilon", [0.0, 0.1])
def test_epsilon_can_be_chosen(kind, epsilon):
    network = case(kind)
    reader, first = network.scores("two layers both ways")
    explainer = network.explainer.with_recipe(recurrent(epsilon))
    for k in range(len(reader.taken)):
        e = explainer(network.x, target=first + k, ledger=True)
        assert (
            difference(e.relevance, expected_relevance(reader, network.x, k, Shares(epsilon)))
            < CLOSE
        )
        assert e.ledger.error < 1e-9


@EACH_KIND
@pytest.mark.parametrize("preset", ["zero", "epsilon", "auto"])
def test_presets_have_the_rule(kind, preset):
    """With epsilon = 1e-3, and their own rule for the head."""
    network = case(kind)
    reader, first = network.scores("both ways")
    head = "zero" if preset == "zero" else "epsilon"
    got = network.explainer.with_recipe(preset)(network.x, target=first).relevance
    assert difference(got, expected_relevance(reader, network.x, 0, Shares(1e-3), head)) < CLOSE


@EACH_KIND
def test_each_sample_is_explained_by_itself(kind):
    network = case(kind)
    for setting in ("two layers both ways", "time first"):
        _, first = network.scores(setting)
        together = network.explainer(network.x, target=first).relevance
        alone = [network.explainer(sample[None], target=first).relevance for sample in network.x]
        assert difference(together, torch.cat(alone)) < 1e-12


@EACH_KIND
def test_zero_without_biases_loses_nothing(kind):
    """Nothing absorbs relevance: all that the recurrent layer receives reaches the input."""
    network = case(kind)
    reader, first = network.scores("no bias")
    e = network.explainer.with_recipe(recurrent(0.0, "zero"))(network.x, target=first)
    (head, *_), output = reader.heads, e.output[:, first]
    torch.testing.assert_close(e.relevance.sum((1, 2)), output - head.bias)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_a_reference_whose_gates_share_half_differs(kind):
    """The comparison notices the rule of a product; an RNN has no product."""
    network = case(kind)
    for setting in SETTINGS:
        reader, first = network.scores(setting)
        got = network.explainer(network.x, target=first).relevance
        assert (
            difference(got, expected_relevance(reader, network.x, 0, Shares(1e-3, signal=0.5)))
            > 0.1
        )


# ---- around the layer ---------------------------------------------------------------------------


class Sentences(nn.Module):
    """A reader of embedded token ids."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, INPUTS)
        self.reader = Reader(layer, ("sequence", "last output"))

    def forward(self, ids: Tensor) -> Tensor:
        """Scores (batch, 2) of ids (batch, length)."""
        return self.reader(self.embedding(ids))


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_tokens_get_the_relevance_of_their_embedding(kind):
    layer = KINDS[kind](INPUTS, UNITS, 2, batch_first=True, bidirectional=True)
    net = randomise(Sentences(layer).double())
    ids = torch.randint(11, (BATCH, LENGTH), generator=torch.Generator().manual_seed(1))
    ids[0, 3] = ids[0, 1]  # a word that comes twice has two values
    explainer = relprop.Explainer(net, "epsilon")
    for k in range(2):
        e = explainer(ids, target=k, ledger=True)
        want = expected_relevance(net.reader, net.embedding(ids).detach(), k, Shares(1e-3)).sum(2)
        assert e.relevance.shape == ids.shape
        assert difference(e.relevance, want) < CLOSE
        assert e.ledger.error < 1e-9


class WithStates(nn.Module):
    """A recurrent layer with initial states of its own."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(UNITS, 2)
        self.states = nn.Parameter(torch.empty(2, UNITS))

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, 2) from the last output."""
        h, c = (state.expand(1, x.shape[0], -1).contiguous() for state in self.states)
        states = (h, c) if isinstance(self.layer, nn.LSTM) else h
        return self.head(self.layer(x, states)[0][:, -1])


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_constant_initial_states_take_their_share(kind):
    """Their share does not reach the input."""
    net = randomise(WithStates(KINDS[kind](INPUTS, UNITS, batch_first=True)).double())
    x, how = signed(BATCH, LENGTH, INPUTS), Shares(1e-3)
    e = relprop.Explainer(net, "epsilon")(x, target=1, ledger=True)
    states = to_numpy(net.states)
    for sample, got in zip(x, e.relevance, strict=True):
        passed = ForwardPass.forward(net.layer, to_numpy(sample), states[:1], states[1:])
        last = torch.from_numpy(passed.output[-1])
        at = reference.Affine(last, net.head.weight.detach(), net.head.bias.detach(), None)
        arriving = np.zeros_like(passed.output)
        arriving[-1] = to_numpy(reference.epsilon(at)[:, 1] * net.head(last).detach()[1])
        assert difference(got, torch.from_numpy(passed.back(how, arriving))) < CLOSE
    assert e.ledger.error < 1e-9


# ---- refused ------------------------------------------------------------------------------------


def test_a_projection_is_refused():
    net = Reader(nn.LSTM(INPUTS, UNITS, batch_first=True, proj_size=2), ("last output",))
    net.heads[0] = nn.Linear(2, 1)
    with pytest.raises(relprop.RelpropError, match="proj_size"):
        relprop.explain(net.double().eval(), signed(BATCH, LENGTH, INPUTS), "epsilon", target=0)


@EACH_KIND
def test_dropout_between_layers_in_train_mode_is_refused(kind):
    layer = KINDS[kind](INPUTS, UNITS, 2, batch_first=True, dropout=0.5)
    net = Reader(layer, ("last output",)).double().train()
    with pytest.raises(relprop.RelpropError, match="train mode"):
        relprop.explain(net, signed(BATCH, LENGTH, INPUTS), "epsilon", target=0)


class AllResults(nn.Module):
    """Reads the outputs, the last hidden state and the last state of an LSTM."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        output, (hidden, state) = self.lstm(x)
        return self.head(output.mean(1) + hidden[-1] + state[-1])


@pytest.mark.parametrize("options", [{}, {"recompute": True}, {"ledger": True}])
def test_a_module_runs_once_for_all_its_results(options, monkeypatch):
    runs, run = [], lowering.run_layers
    monkeypatch.setattr(lowering, "run_layers", lambda *a: runs.append(1) or run(*a))
    torch.manual_seed(0)
    explainer = relprop.Explainer(AllResults().double().eval())
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    explainer.plan(x)
    runs.clear()
    explanation = explainer(x, target=1, **options)
    assert len(runs) == (
        2 if "recompute" in options else 1
    )  # forward, and again in the backward pass
    if explanation.ledgers:
        assert explanation.ledger.error < 1e-12
    expected = separate(explainer.model, x)
    torch.testing.assert_close(explanation.relevance, expected, rtol=1e-10, atol=1e-12)


def separate(model, x):
    """The relevance of a model in which each result has an LSTM of its own, with equal weights."""

    class Separate(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstms = nn.ModuleList(copy.deepcopy(model.lstm) for _ in range(3))
            self.head = copy.deepcopy(model.head)

        def forward(self, x):
            output, hidden, state = (
                result(lstm(x)) for lstm, result in zip(self.lstms, RESULTS, strict=True)
            )
            return self.head(output + hidden + state)

    return relprop.Explainer(Separate().eval())(x, target=1).relevance


RESULTS = [lambda r: r[0].mean(1), lambda r: r[1][0][-1], lambda r: r[1][1][-1]]
