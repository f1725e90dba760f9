"""A saved plan is refused for another model: other attributes, or other code."""

import pytest
import torch
from helpers.networks import randomise, signed
from helpers.saved_plans import save
from torch import nn

import relprop
from relprop.errors import CaptureError


def net(function, last=torch.clone):
    """A model whose class and attributes are the same whatever its code calls."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.head = nn.Linear(4, 5), nn.Linear(5, 3)

        def forward(self, x):
            return last(self.head(function(self.layer(x))))

    return randomise(Net())


FUNCTIONS = {
    "large": (torch.relu, nn.functional.relu6),
    "negative": (torch.abs, torch.relu),
    "large and negative": (nn.functional.hardtanh, torch.nn.Identity()),
    "very large": (torch.relu, lambda h: h.clamp(0, 20)),
    "a threshold": (lambda h: h, lambda h: torch.where(h < 9, h, 9 + 0.5 * (h - 9))),
}


@pytest.mark.parametrize("mask", [-1e9, torch.finfo(torch.float32).min])
def test_code_that_differs_beside_a_masked_class_is_refused(mask, tmp_path):
    masked = torch.tensor([False, True, False])
    one, other = (net(f, lambda s: s.masked_fill(masked, mask)) for f in (torch.relu, torch.tanh))
    other.load_state_dict(one.state_dict())
    save(one, signed(2, 4).float(), tmp_path / "plans", "zero")
    with pytest.raises(CaptureError, match="does not compute what the model of the saved plan"):
        relprop.Explainer.load(tmp_path / "plans", other)(signed(2, 4).float())


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_code_that_differs_where_the_sample_does_not_reach_is_refused(name, swapped, tmp_path):
    one, other = map(net, FUNCTIONS[name][:: -1 if swapped else 1])
    x = torch.full((2, 4), 0.01)
    for model in (one, other):
        model.layer.bias.data.fill_(0.5)  # all units are between 0 and 1
        model.head.load_state_dict(one.head.state_dict())
        model.layer.load_state_dict(one.layer.state_dict())
    torch.testing.assert_close(one(x), other(x))
    save(one, x, tmp_path / "plans", "zero")
    assert relprop.Explainer.load(tmp_path / "plans", one)(x).output.allclose(one(x))
    with pytest.raises(CaptureError, match="does not compute what the model of the saved plan"):
        relprop.Explainer.load(tmp_path / "plans", other)(x)


class Options(nn.Module):
    """Attributes of several sorts, one of them written by forward."""

    def __init__(self, **changed):
        super().__init__()
        self.layer, self.last, self.folder = nn.Linear(4, 3), None, "/here"
        self.power, self.after, self.sizes, self.text = 1.0, torch.relu, {"a": [1, 2]}, "mean"
        for name, value in changed.items():
            setattr(self, name, value)

    def forward(self, x):
        self.last = self.layer(x).detach()
        return self.layer(x)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"power": 2.0}, r'power of "", which is 2\.0 and was 1\.0'),
        ({"after": torch.tanh}, 'after of "", which is tanh and was relu'),
        ({"sizes": {"a": [1, 3]}}, 'sizes of ""'),
        ({"text": "sum"}, "which is 'sum' and was 'mean'"),
        ({"extra": nn.Identity()}, '"extra", which only the present one has'),
    ],
)
def test_a_model_with_other_attributes_is_refused(changed, words, tmp_path):
    model, x = randomise(Options()), signed(2, 4).float()
    save(model, x, tmp_path / "plans")
    model(x)  # what forward writes, and where files are, is no difference
    model.folder = "/there"
    assert relprop.Explainer.load(tmp_path / "plans", model)(x).output.allclose(model(x))
    with pytest.raises(CaptureError, match=words):
        relprop.Explainer.load(tmp_path / "plans", randomise(Options(**changed)))
