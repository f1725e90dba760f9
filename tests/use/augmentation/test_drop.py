"""Which blocks are masked, for models whose relevance is known; and what is left of the model."""

import pytest
import torch
from helpers.model_state import Net, assert_unchanged, snapshot
from torch import nn

import relprop
from relprop.errors import InputError
from relprop.use import RelevanceDrop

# Class 0 reads the upper left quarter most, then the lower right; class 1 the other way round.
WEIGHTS = torch.tensor([[3.0, 1.0, 0.0, 2.0], [0.0, 1.0, 3.0, 2.0]])


class Quarters(nn.Module):
    """A linear model of the four quarters of a picture of 4 x 4 pixels."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(WEIGHTS.clone())

    def forward(self, x):
        return nn.functional.avg_pool2d(x, 2).flatten(1) @ self.weight.T


class Hidden(nn.Sequential):
    """Two layers with an activation between, and dropout."""

    def __init__(self):
        super().__init__(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 2))
        self[0].weight.data = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]])
        self[0].bias.data.zero_()
        self[3].weight.data = torch.tensor([[5.0, 1, 1, 1], [1, 1, 5, 1]])
        self[3].bias.data.zero_()


def quarter(row, column):
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = True
    return mask


def test_the_most_relevant_block_of_the_true_class_is_masked():
    drop = RelevanceDrop(0.25, 2, probability=1.0, randomness=0.0, fill=-7.0)
    x, y = torch.ones(3, 1, 4, 4), torch.tensor([0, 1, 0])
    dropped = drop(Quarters(), x, y)
    expected = torch.stack([quarter(0, 0), quarter(1, 0), quarter(0, 0)])[:, None]
    assert dropped.eq(-7).equal(expected)
    assert dropped[~expected].eq(1).all()
    assert x.eq(1).all()
    half = RelevanceDrop(0.5, 2, probability=1.0, randomness=0.0)(Quarters(), x, y)
    assert half[0, 0].eq(0).equal(quarter(0, 0) | quarter(1, 1))


def test_weights_of_this_step_decide():
    model, x, y = Quarters(), torch.ones(1, 1, 4, 4), torch.tensor([0])
    drop = RelevanceDrop(0.25, 2, probability=1.0, randomness=0.0)
    assert drop(model, x, y)[0, 0].eq(0).equal(quarter(0, 0))
    with torch.no_grad():
        model.weight[0, 1] = 9
    assert drop(model, x, y)[0, 0].eq(0).equal(quarter(0, 1))


@pytest.mark.parametrize("randomness", [0.0, 0.4, 1.0])
def test_the_shares_of_samples_and_entries_are_exact(randomness):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(2 * 64, 3))
    drop = RelevanceDrop(0.25, 2, probability=0.5, randomness=randomness)
    x = torch.rand(8, 2, 8, 8) + 1
    dropped = drop(model, x, torch.arange(8) % 3)
    shares = dropped.eq(0).double().flatten(1).mean(1)
    assert shares.sort().values.tolist() == [0.0] * 4 + [0.25] * 4
    assert dropped.eq(0)[:, 0].equal(dropped.eq(0)[:, 1])
    assert dropped[dropped != 0].equal(x[dropped != 0])


def test_random_numbers_are_those_of_torch_and_can_be_repeated():
    model, x, y = nn.Linear(8, 2), torch.rand(6, 8) + 1, torch.arange(6) % 2
    drop = RelevanceDrop(0.5, 2)
    got = []
    for _ in range(2):
        torch.manual_seed(4)
        got.append(drop(model, x, y))
    assert got[0].equal(got[1])
    torch.manual_seed(4)
    torch.rand(()), torch.randperm(6), torch.rand(3, 4)  # how many, which samples, the blocks
    state = torch.get_rng_state()
    torch.manual_seed(4)
    drop(model, x, y)
    assert state.equal(torch.get_rng_state())


def test_by_chance_alone_the_model_is_not_explained():
    model = Net(fails=True)
    x, y = torch.ones(2, 1, 8, 8), torch.tensor([0, 1])
    masked = RelevanceDrop(0.25, randomness=1.0, probability=1.0)(model, x, y)
    assert masked.eq(0).sum((1, 2, 3)).tolist() == [16, 16]


def test_hidden_values_of_most_relevance_are_masked_in_the_forward_pass():
    model, y = Hidden().eval(), torch.tensor([0, 1])
    x = torch.ones(2, 3)  # hidden values 1, 1, 1, 3, of relevance 5, 1, 1, 3 and 1, 1, 5, 3
    drop = RelevanceDrop(0.25, 1, layer="1", probability=1.0, randomness=0.0)
    assert drop.forward(model, x, y).tolist() == [[5.0, 10.0 - 1], [10.0 - 1, 5.0]]
    assert model(x).tolist() == [[10.0, 10.0], [10.0, 10.0]]
    drop.forward(model, x, y).sum().backward()
    assert model[0].weight.grad[0].tolist() == [6.0] * 3  # by the second sample alone
    assert model[0].weight.grad[1].tolist() == [4.0] * 3


def test_forward_masks_inputs_too():
    drop = RelevanceDrop(0.25, 2, probability=1.0, randomness=0.0)
    x, y, model = torch.ones(2, 1, 4, 4), torch.tensor([0, 1]), Quarters()
    assert drop.forward(model, x, y).equal(model(drop(model, x, y)))
    assert drop.forward(model, x, y).tolist() == [[3.0, 6.0], [6.0, 3.0]]


@pytest.mark.parametrize("layer", [None, "body.2"])
def test_the_model_is_left_as_it_was(layer):
    model, x = Net(), torch.rand(4, 1, 12, 12)
    model.body[0].eval()
    drop = RelevanceDrop(0.25, 5, layer=layer, probability=1.0)
    before = snapshot(model)
    if layer is None:
        drop(model, x, torch.arange(4))
        assert_unchanged(model, before)
    names, modes = list(model.state_dict()), [one.training for one in model.modules()]
    drop.forward(model, x, torch.arange(4))
    assert [one.training for one in model.modules()] == modes
    assert list(model.state_dict()) == names
    assert not any(one._forward_hooks for one in model.modules())
    assert not any(p.grad is not None for p in model.parameters())


def test_the_hook_is_removed_where_the_model_raises():
    class Raising(Quarters):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x):
            out = super().forward(self.act(x))
            if self.training:
                raise ZeroDivisionError
            return out

    model = Raising()
    drop = RelevanceDrop(0.25, 2, layer="act", probability=1.0)
    with pytest.raises(ZeroDivisionError):
        drop.forward(model, torch.ones(2, 1, 4, 4), torch.tensor([0, 1]))
    assert not model.act._forward_hooks
    assert model.training


def test_training_with_it_learns_what_is_less_relevant_too():
    """Two features tell the class; the larger one is masked often, so that the other counts."""
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(2, (400,), generator=generator)
    sign = 2.0 * y[:, None] - 1
    x = torch.cat([3 * sign, sign], 1) + 0.3 * torch.randn(400, 2, generator=generator)
    weights = []
    for drop in (None, RelevanceDrop(0.5, 1, probability=0.5, randomness=0.0)):
        torch.manual_seed(0)
        model = nn.Linear(2, 2)
        model.weight.data = torch.tensor([[-0.1, -0.1], [0.1, 0.1]])
        optimiser = torch.optim.SGD(model.parameters(), 0.2)
        for rows in torch.arange(400).split(40):
            masked = x[rows] if drop is None else drop(model, x[rows], y[rows])
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(masked), y[rows]).backward()
            optimiser.step()
        slopes = (model.weight[1] - model.weight[0]).detach()
        weights.append((slopes[1] / slopes[0]).item())
    assert weights[1] > 1.5 * weights[0] > 0


def test_a_module_of_another_name_kind_or_number_of_calls_is_refused():
    model, x, y = Hidden(), torch.ones(2, 3), torch.tensor([0, 1])
    with pytest.raises(InputError, match=r'layer "4"\n.*"0", "1", "2", "3"'):
        RelevanceDrop(layer="4").forward(model, x, y)
    model.unused = nn.ReLU()

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.act, self.lstm = nn.ReLU(), nn.LSTM(3, 2)
            self.unused = nn.ReLU()

        def forward(self, x):
            return self.lstm(self.act(self.act(x)))[0]

    by_chance = {"probability": 1.0, "randomness": 1.0, "block": 1, "share": 0.5}
    with pytest.raises(InputError, match='"act", which the model called 2 times'):
        RelevanceDrop(layer="act", **by_chance).forward(Twice(), x, y)
    with pytest.raises(InputError, match='"unused", which the model called 0 times'):
        RelevanceDrop(layer="unused", **by_chance).forward(Twice(), x, y)
    with pytest.raises(InputError, match='"lstm", whose output is a tuple'):
        RelevanceDrop(layer="lstm", **by_chance).forward(Twice(), x, y)
    with pytest.raises(InputError, match=r"write logits = drop.forward\(model, x, y\)"):
        RelevanceDrop(layer="1")(model, x, y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"share": 0}, "share is 0\n.*above 0 to below 1"),
        ({"share": 1.0}, "share is 1.0"),
        ({"block": 0}, "block is 0\n.*whole number > 0"),
        ({"block": 2.5}, "block is 2.5"),
        ({"probability": 0}, "probability is 0\n.*above 0 to 1"),
        ({"randomness": -0.1}, "randomness is -0.1\n.*from 0 to 1"),
        ({"fill": "mean"}, "fill is 'mean'\n.*a finite number\n.*write fill=0.0"),
        ({"fill": float("nan")}, "fill is nan"),
        ({"recipe": "epsilom"}, 'write "epsilon"'),
        ({"layer": 3}, 'layer is 3\n.*\n.*write layer="3"'),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        RelevanceDrop(**arguments)


def test_batches_that_do_not_fit_are_refused_before_anything_runs():
    model, x = Net(fails=True), torch.ones(2, 1, 8, 8)
    drop = RelevanceDrop(probability=1.0)
    with pytest.raises(InputError, match="class -1"):
        drop(model, x, torch.tensor([0, -1]))
    with pytest.raises(InputError, match=r"share=0\.25 of the 1 blocks"):
        RelevanceDrop(block=8)(model, x, torch.tensor([0, 1]))
    with pytest.raises(InputError, match="class 4 of a model with 4 classes"):
        drop(Net(), x, torch.tensor([0, 4]))
    with pytest.raises(InputError, match=r"a torch\.nn\.Module"):
        drop(lambda x: x, x, torch.tensor([0, 1]))


def test_a_model_that_cannot_be_explained_is_refused():
    with pytest.raises(relprop.errors.PlanError):
        RelevanceDrop(probability=1.0, block=5)(
            Net(odd=True), torch.ones(2, 1, 8, 8), torch.tensor([0, 1])
        )


def test_a_share_that_a_layer_does_not_have_is_refused_before_statistics_change():
    layers = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)]
    model = nn.Sequential(*layers)
    drop = RelevanceDrop(layer="2", block=8, probability=1.0)
    with pytest.raises(InputError, match=r"share=0\.25 of the 1 blocks"):
        drop.forward(model, torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0]))
    assert model[1].num_batches_tracked == 0
