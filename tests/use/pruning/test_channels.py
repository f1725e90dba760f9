"""Pruned models: what they compute, what they lost, and that the user's own is as it was."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import relu

import relprop
from relprop.errors import InputError
from relprop.models.architecture import describe
from relprop.use import prune_channels
from relprop.use.pruning.groups import ChannelGroup
from relprop.use.pruning.selection import choose_removed

pytest.importorskip("torch_pruning")


def half_dead_cnn():
    """A CNN in float64, of which every second channel and neuron reaches no output."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 6, 3, padding=1), nn.ReLU()),
        *(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(6 * 9, 10), nn.ReLU(), nn.Linear(10, 3)),
    )
    with torch.no_grad():
        model[2].weight[:, 1::2] = 0
        model[6].weight.view(10, 6, 9)[:, 1::2] = 0
        model[8].weight[:, 1::2] = 0
        for i in (0, 2, 6):
            model[i].bias += 1  # so that the others are active
    return model.double().eval()


def samples(model, n=24, shape=(1, 6, 6), dtype=torch.float64):
    x = torch.randn(n, *shape, dtype=dtype, generator=torch.Generator().manual_seed(1))
    return x, torch.arange(n) % 3


def test_what_carries_no_relevance_goes_and_the_outputs_stay():
    model = half_dead_cnn()
    x, y = samples(model)
    pruned = prune_channels(model, x, y, 0.5, recipe="epsilon", ranking="global")
    assert {one.name: one.removed for one in pruned.layers} == {
        "0": (1, 3, 5, 7),
        "2": (1, 3, 5),
        "6": (1, 3, 5, 7, 9),
    }
    assert (pruned.model(x) - model(x)).abs().max() < 1e-12
    assert [tuple(p.shape) for p in pruned.model.parameters()] == [
        *((4, 1, 3, 3), (4,), (3, 4, 3, 3), (3,)),
        *((5, 27), (5,), (3, 5), (3,)),
    ]
    assert pruned.accuracy_after == pruned.accuracy_before
    assert pruned.sparsity == 0.5
    assert pruned.whole == {"8": "its channels are the output"}


def test_sizes_are_counted():
    """Weights, and multiplications with addition, by their formulas."""
    model = half_dead_cnn()
    x, y = samples(model)
    pruned = prune_channels(model, x, y, 0.5, recipe="epsilon")
    before = 8 * 9 + 8 + 6 * 8 * 9 + 6 + 10 * 54 + 10 + 3 * 10 + 3
    assert pruned.size_before.parameters == before
    assert pruned.size_before.macs == 36 * (8 * 9 + 6 * 8 * 9) + 10 * 54 + 3 * 10
    assert pruned.size_after.parameters == 4 * 9 + 4 + 3 * 4 * 9 + 3 + 5 * 27 + 5 + 3 * 5 + 3
    assert pruned.size_after.macs == 36 * (4 * 9 + 3 * 4 * 9) + 5 * 27 + 3 * 5


@pytest.mark.parametrize("ranking", ["global", "layer"])
def test_channels_are_ranked_by_how_scores_change_against_each_other(ranking):
    """Against the formula written out: relevance at a layer, by sample and class."""
    torch.manual_seed(3)
    model = nn.Sequential(
        *(nn.Conv2d(2, 7, 3), nn.ReLU(), nn.Conv2d(7, 5, 3), nn.ReLU(), nn.Flatten()),
        nn.Linear(5 * 4, 3),
    )
    model = model.double().eval()
    x, y = samples(model, 9, (2, 6, 6))
    scores = {"0": [0.0] * 7, "2": [0.0] * 5}
    for i in range(9):
        es = [
            relprop.explain(model, x[i : i + 1], "gamma", target=k, layers=["0", "2"])
            for k in range(3)
        ]
        for name, of in scores.items():
            for c in range(len(of)):
                carried = [float(e.layers[name][0, c].sum()) for e in es]
                of[c] += sum(abs(one - sum(carried) / 3) for one in carried) / 9
    pruned = prune_channels(
        model, x, y, 0.5, recipe="gamma", ranking=ranking, samples_per_class=3, rounds=1
    )
    removed = {one.name: set(one.removed) for one in pruned.layers}
    if ranking == "layer":
        expected = {name: lowest(s, len(s) // 2) for name, s in scores.items()}
    else:
        every = sorted((s, name, c) for name, all_ in scores.items() for c, s in enumerate(all_))
        expected = {name: {c for _, n, c in every[:6] if n == name} for name in scores}
    assert removed == expected
    assert pruned.samples == 9


def lowest(values, count):
    return set(sorted(range(len(values)), key=values.__getitem__)[:count])


def test_the_model_given_is_as_it_was():
    model = half_dead_cnn()
    model[0].weight.requires_grad_(False)
    x, y = samples(model)
    before = copy.deepcopy(model.state_dict())
    pruned = prune_channels(model, x, y, 0.5)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert not model[0].weight.requires_grad
    assert [p.requires_grad for p in pruned.model.parameters()] == [False, *[True] * 7]
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._backward_hooks for m in model.modules())
    assert not model.training


def test_the_pruned_model_is_explained_and_saved(tmp_path):
    model = relprop.load_model("mnist-dnn-300-100")
    x = torch.rand(20, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    y = torch.arange(20) % 10
    pruned = prune_channels(model, x, y, 0.5, samples_per_class=1).model
    e = relprop.explain(pruned, x, ledger=True)
    assert e.ledger.error < 1e-3
    card = relprop.models.ModelCard("small", input_shape=(1, 28, 28))
    relprop.save_model(pruned, tmp_path / "small.safetensors", card)
    again = relprop.load_model(str(tmp_path / "small.safetensors"))
    assert torch.equal(again(x), pruned(x))
    assert sum(layer.get("out_features", 0) for layer in describe(again)) == 200 + 10


class Residual(nn.Module):
    """A block whose sum couples two convolutions; its input has the channels of the data."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 6, 3, padding=1)
        self.inner = nn.Conv2d(6, 8, 3, padding=1)
        self.outer = nn.Conv2d(8, 6, 3, padding=1)
        self.depthwise = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        x = relu(self.stem(x))
        x = relu(x + self.outer(relu(self.inner(x))))
        return self.head(relu(self.depthwise(x)).mean((2, 3)))


def test_a_residual_sum_and_a_depthwise_convolution_lose_the_same_channels():
    torch.manual_seed(0)
    model = Residual().double().eval()
    with torch.no_grad():  # channels 2 and 5 of the sum reach nothing
        model.inner.weight[:, [2, 5]] = 0
        model.head.weight[:, [2, 5]] = 0
        model.outer.weight[:, [0, 1, 3, 4]] = 0
        for layer in (model.stem, model.inner, model.depthwise):
            layer.bias += 1  # so that the others are active
    x, y = samples(model, shape=(2, 6, 6))
    pruned = prune_channels(model, x, y, 6 / 14, recipe="epsilon")
    layers = {one.name: one for one in pruned.layers}
    (coupled,) = (one for one in layers.values() if one.coupled)
    assert {coupled.name, *coupled.coupled} == {"stem", "outer", "depthwise"}
    assert coupled.removed == (2, 5)
    assert layers["inner"].removed == (0, 1, 3, 4)
    assert (pruned.model(x) - model(x)).abs().max() < 1e-12
    assert pruned.model.depthwise.groups == 4


class Unusual(nn.Module):
    """Layers that cannot lose channels, each for its own reason, and two that can."""

    def __init__(self):
        super().__init__()
        self.before = nn.Conv2d(2, 2, 3, padding=1)
        self.free = nn.Conv2d(2, 5, 1)
        self.narrow = nn.Conv2d(5, 4, 1)
        self.grouped = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.twice = nn.Linear(4, 4)
        self.tied = nn.Linear(4, 4)
        self.tied_too = nn.Linear(4, 4)
        self.tied_too.weight = self.tied.weight
        self.wide = nn.Linear(4, 6)
        self.scale = nn.Parameter(torch.ones(6))
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        x = x + self.before(x)
        x = self.grouped(self.narrow(relu(self.free(x)))).mean((2, 3))
        x = self.tied_too(relu(self.tied(relu(self.twice(relu(self.twice(x)))))))
        return self.head(relu(self.wide(x)) * self.scale)


def test_layers_that_cannot_lose_channels_stay_whole_and_it_is_said_why():
    torch.manual_seed(0)
    model = Unusual().eval()
    x, y = samples(model, shape=(2, 6, 6), dtype=torch.float32)
    pruned = prune_channels(model, x, y, 0.5, keep=["wide*"])
    assert [(one.name, one.after) for one in pruned.layers] == [("free", 3)]
    assert pruned.whole == {
        "wide": "keep names it",
        "before": "the model does not run with fewer of its channels",
        "narrow": "grouped convolves channels in groups",
        "grouped": "twice runs 2 times",  # which reads what it writes
        "twice": "twice runs 2 times",
        "tied": "tied shares weights with tied_too",
        "tied_too": "tied_too shares weights with tied",
        "head": "its channels are the output",
    }
    assert "narrow: whole, since grouped convolves channels in groups" in str(pruned)


def test_a_parameter_that_multiplies_channels_loses_the_same():
    torch.manual_seed(0)
    model = Unusual().eval()
    with torch.no_grad():
        model.scale.copy_(torch.tensor([1.0, 2.0, 0.0, 0.0, 3.0, 0.0]))
        model.wide.bias += 1
    x, y = samples(model, shape=(2, 6, 6), dtype=torch.float32)
    pruned = prune_channels(model, x, y, 0.5, keep=["free"], recipe="epsilon")
    assert pruned.model.scale.tolist() == [1, 2, 3]
    assert (pruned.model(x) - model(x)).abs().max() < 1e-6


@pytest.mark.slow
def test_of_a_transformer_the_neurons_between_go():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True)
    model = nn.Sequential(nn.Linear(5, 8), layer, nn.Flatten(), nn.Linear(32, 3)).eval()
    x, y = samples(model, shape=(4, 5), dtype=torch.float32)
    pruned = prune_channels(model, x, y, 0.5)
    assert [(one.name, one.after) for one in pruned.layers] == [("1.linear1", 6)]
    assert pruned.whole["0"] == "1.self_attn divides its width by heads"
    assert pruned.model(x).shape == (24, 3)


def test_accuracy_is_that_of_the_test_samples():
    model = half_dead_cnn()
    x, y = samples(model)
    with torch.no_grad():
        right = model(x).argmax(1)
    pruned = prune_channels(model, x, y, 0.5, recipe="epsilon", test=(x[:10], right[:10]))
    assert (pruned.accuracy_before, pruned.accuracy_after, pruned.tested) == (1.0, 1.0, 10)
    assert prune_channels(model, x, y, 0).accuracy_before == float((right == y).double().mean())


WRONG = [
    ({"sparsity": 1.0}, "sparsity is 1.0", "write sparsity=0.5"),
    ({"sparsity": "0.5"}, "sparsity is '0.5'", "write sparsity=0.5"),
    ({"sparsity": 0.95}, "sparsity 0.95, 22 of 24 channels in 3 layers", "write sparsity=0.87"),
    ({"samples_per_class": 0}, "samples_per_class is 0", "write samples_per_class=10"),
    ({"ranking": "all"}, "ranking is 'all'", 'write ranking="global"'),
    ({"rounds": 0}, "rounds is 0", "write rounds=5"),
    ({"seed": -1}, "seed is -1", "write seed=0"),
    ({"keep": ["convv"]}, "keep names 'convv'", "leave it out"),
    ({"keep": "conv*"}, "keep is 'conv*'", "write keep=['conv*']"),
    ({"rescale": "no"}, "rescale is 'no'", "write rescale=False"),
    ({"test": 5}, "test of type int", "write test=(x, y)"),
    ({"test": (1, 2, 3)}, "test of type tuple of 3", "write test=(x, y)"),
    ({"test": (torch.zeros(1, 4), torch.tensor([0]))}, "test[0] of shape (1, 4)", "give test"),
    ({"x": torch.zeros(24, 4)}, "x of shape (24, 4) and torch.float32, on which", "give x as"),
    ({"x": torch.zeros(9, 4)}, "y of shape (24,) for 9 samples", "give them in pairs"),
    ({"keep": ["*"]}, "a model of which nothing can be removed", "prune another model"),
    ({"y": torch.zeros(24, dtype=torch.long)}, "24 samples of one class", "pass samples of every"),
    ({"y": torch.arange(24.0)}, "y of shape (24,) and torch.float32", "torch.as_tensor(y).long()"),
    ({"y": torch.arange(24)}, "a model that returns (1, 3) for a sample", "pass a classifier"),
    ({"y": torch.arange(24) - 1}, "class -1", "leave samples without a class out"),
    ({"y": torch.arange(24) > 9}, "y of shape (24,) and torch.bool", "torch.as_tensor(y).long()"),
    ({"x": torch.zeros(0, 4)}, "x of shape (0, 4)", "pass samples as x"),
    ({"y": [0, 1]}, "y of type list", "write y = torch.as_tensor(y).long()"),
    ({"model": half_dead_cnn().train()}, "a model in training mode", "write model.eval()"),
    ({"model": "mnist-cnn"}, "a model of type str", 'write relprop.load_model("mnist-cnn")'),
]


@pytest.mark.parametrize(("changed", "given", "todo"), WRONG, ids=[one[1] for one in WRONG])
def test_what_is_wrong_is_said_before_anything_is_computed(changed, given, todo):
    model = half_dead_cnn()
    x, y = samples(model)
    with pytest.raises(InputError) as caught:
        prune_channels(**{"model": model, "x": x, "y": y, **changed})
    assert given in caught.value.given
    assert todo in caught.value.todo


def test_the_sparsity_that_an_error_names_is_possible():
    model = half_dead_cnn()
    pruned = prune_channels(model, *samples(model), sparsity=0.87)
    assert [one.after for one in pruned.layers if one.after < 1] == []
    assert sum(len(one.removed) for one in pruned.layers) == 20


def test_a_share_is_rounded_down_to_what_it_says():
    """0.29 * 100 is below 29 in binary."""
    group = ChannelGroup("layer", 100, {"layer": (torch.arange(100), torch.arange(100))})
    for ranking in ("global", "layer"):
        removed = choose_removed([group], {"layer": torch.rand(100)}, 0.29, ranking)
        assert len(removed["layer"]) == 29
