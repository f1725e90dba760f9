"""Pruning with samples apart for the test, and the files that are written."""

import pytest
import torch
from torch import nn

import relprop
from relprop.errors import InputError
from relprop.use.pruning.held_out import prune_and_test
from relprop.use.pruning.save import save_pruned

pytest.importorskip("torch_pruning")
OPTIONS = {
    **{"samples_per_class": 5, "heads": 0.0, "rounds": 5, "ranking": "global"},
    **{"recipe": "epsilon", "keep": (), "rescale": False, "seed": 0},
}


def separable():
    """Two classes of the sign of the first feature, and a network that does not know it."""
    torch.manual_seed(0)
    x = torch.randn(200, 4)
    x[:, 0] += x[:, 0].sign()
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2)).eval()
    return model, x, (x[:, 0] > 0).long()


def test_a_fifth_tests_and_training_helps_it():
    model, x, y = separable()
    plain = prune_and_test(model, x, y, 0.5, **OPTIONS, epochs=0)
    trained = prune_and_test(model, x, y, 0.5, **OPTIONS, epochs=20)
    assert plain.tested == trained.tested == 40
    rows = torch.randperm(200, generator=torch.Generator().manual_seed(0))[:40]
    for result in (plain, trained):
        right = result.model(x[rows]).argmax(1) == y[rows]
        assert result.accuracy_after == float(right.double().mean())
    assert trained.accuracy_after > plain.accuracy_after + 0.2
    assert trained.layers == plain.layers


def test_four_samples_are_too_few():
    model, x, y = separable()
    with pytest.raises(InputError, match="4 samples") as caught:
        prune_and_test(model, x[:4], y[:4], 0.5, **OPTIONS, epochs=0)
    assert caught.value.todo == "give more data"


def test_a_list_of_layers_and_any_other_model_are_read_again(tmp_path):
    model, x, y = separable()
    result = prune_and_test(model, x, y, 0.5, **OPTIONS, epochs=0)
    path = save_pruned(result, x[:1], tmp_path)
    assert path == tmp_path / "pruned.safetensors"
    assert torch.equal(relprop.load_model(path)(x), result.model(x))
    wrapped = prune_and_test(Wrapped(model).eval(), x, y, 0.5, **OPTIONS, epochs=0)
    path = save_pruned(wrapped, x[:1], tmp_path)
    assert path == tmp_path / "pruned.pt2"
    again = torch.export.load(path).module()
    assert torch.allclose(again(x), wrapped.model(x), atol=1e-6)


class Wrapped(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, x):
        return self.layers(x)
