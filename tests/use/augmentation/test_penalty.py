"""The penalty against its formula in float64, its gradient against finite differences."""

import pytest
import torch
from helpers.model_state import Net, assert_unchanged, snapshot
from torch import nn

from relprop.errors import InputError
from relprop.use import RelevancePenalty

X = torch.rand(3, 1, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 0.3
Y = torch.tensor([0, 1, 1])
MASK = torch.tensor([[True, True, False], [True, False, True]])


def reference(model, x, y, mask):
    """Gradient x input of the log-odds by autograd, sample by sample, class weights held constant.

    It is LRP-0 of networks of layers and ReLU.
    """
    shares = []
    for sample, label in zip(x, y, strict=True):
        leaf = sample[None].clone().requires_grad_()
        output = model(leaf)[0]
        odds = output.detach().exp()
        odds[label] = 0
        weights = -odds / odds.sum()
        weights[label] = 1
        (gradient,) = torch.autograd.grad((weights * output).sum(), leaf, create_graph=True)
        size = (gradient * leaf)[0, 0].abs()
        shares.append(size[~mask].sum() / size.sum())
    return sum(shares) / len(shares)


@pytest.mark.parametrize(
    "layers",
    [
        lambda: (nn.Flatten(), nn.Linear(6, 3)),
        lambda: (nn.Flatten(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4)),
        lambda: (nn.Conv2d(1, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(6, 3)),
    ],
    ids=["linear", "dense", "convolution"],
)
def test_the_penalty_and_its_gradient_are_those_of_gradient_x_input(layers):
    torch.manual_seed(2)
    model = nn.Sequential(*layers()).double()
    got, expected = RelevancePenalty(model, "zero")(X, Y, MASK), reference(model, X, Y, MASK)
    torch.testing.assert_close(got, expected)
    parameters = list(model.parameters())
    found = torch.autograd.grad(got, parameters, allow_unused=True, materialize_grads=True)
    wanted = torch.autograd.grad(expected, parameters, allow_unused=True, materialize_grads=True)
    assert any(one.abs().sum() > 0 for one in wanted)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("recipe", ["epsilon", "epsilon-plus", "gamma"])
def test_its_gradient_against_finite_differences(recipe):
    """Of two classes, whose weights 1 and -1 do not depend on parameters."""
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 2), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(6, 2)
    ).double()
    penalty = RelevancePenalty(model, recipe)
    penalty(X, Y, MASK).backward()
    for parameter in (model[0].weight, model[1].weight, model[4].weight):
        direction = torch.randn_like(parameter)
        values, step = [], 1e-6
        for sign in (1, -1):
            with torch.no_grad():
                parameter += sign * step * direction
            values.append(penalty(X, Y, MASK).item())
            with torch.no_grad():
                parameter -= sign * step * direction
        expected = (values[0] - values[1]) / (2 * step)
        got = (parameter.grad * direction).sum().item()
        assert got == pytest.approx(expected, rel=1e-4, abs=1e-8)


def test_a_share_by_hand_with_a_mask_for_each_sample():
    model = nn.Linear(3, 2)
    model.weight.data = torch.tensor([[1.0, -2.0, 3.0], [4.0, 0.0, 1.0]])
    x = torch.tensor([[1.0, 1.0, -1.0], [1.0, 5.0, 2.0]])
    mask = torch.tensor([[1, 1, 0], [0, 1, 1]])
    penalty = RelevancePenalty(model)
    got = penalty(x, torch.tensor([0, 1]), mask.bool())
    # of the difference of the classes: -3, -2, -2 * -1 and 3, 2 * 5, -2 * 2
    assert got.item() == pytest.approx((2 / 7 + 3 / 17) / 2)
    assert penalty(x, torch.tensor([0, 1]), torch.ones(3, dtype=torch.bool)).item() == 0
    assert penalty(x, torch.tensor([0, 1]), torch.zeros(3, dtype=torch.bool)).item() == 1
    no_evidence = penalty(torch.zeros(1, 3), torch.tensor([0]), torch.zeros(3, dtype=torch.bool))
    no_evidence.backward()
    assert no_evidence.item() == 0
    assert model.weight.grad.abs().sum() == 0


def test_steps_along_it_move_relevance_into_the_mask():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 2))
    x, penalty = X.float(), RelevancePenalty(model)
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    before = penalty(x, Y, MASK).item()
    for _ in range(60):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(x), Y) + 10 * penalty(x, Y, MASK)
        loss.backward()
        optimiser.step()
    assert before > 0.2
    assert penalty(x, Y, MASK).item() < 0.25 * before


def test_the_model_is_left_as_it_was():
    model, x = Net(), torch.rand(4, 1, 8, 8)
    model.body[1].eval()
    before, state = snapshot(model), torch.get_rng_state()
    RelevancePenalty(model)(x, torch.arange(4), torch.ones(8, 8, dtype=torch.bool))
    assert_unchanged(model, before)
    assert state.equal(torch.get_rng_state())


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (
            torch.ones(3, 2).bool(),
            r"shape \(3, 2\) .*\n.*\(3, 1, 2, 3\).*\n.*\(1, 2, 3\)",
        ),
        (
            torch.ones(3, 2, 3).bool(),
            r"shape \(3, 2, 3\) .*\n.*\n.*write mask\[:, None\]",
        ),
        (torch.ones(2, 3, 1, 2, 3).bool(), "a mask of shape"),
        (torch.ones(2, 3), r"a mask of torch.float32\n.*\n.*torch.as_tensor\(mask\).bool\(\)"),
        ([[True]], "a mask of type list"),
    ],
)
def test_masks_that_do_not_fit_are_refused_before_anything_runs(mask, message):
    model = Net(fails=True).double()
    with pytest.raises(InputError, match=message):
        RelevancePenalty(model)(X, Y, mask)


def test_labels_and_recipes_that_do_not_fit_are_refused():
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 2)).double()
    with pytest.raises(InputError, match=r"class 2 of a model with 2 classes\n.* from 0 to 1"):
        RelevancePenalty(model)(X, Y + 1, MASK)
    with pytest.raises(InputError, match="class -1"):
        RelevancePenalty(model)(X, Y - 1, MASK)
    with pytest.raises(InputError, match='write "epsilon"'):
        RelevancePenalty(model, "epsilom")
    with pytest.raises(InputError, match=r"a torch\.nn\.Module"):
        RelevancePenalty("mnist-cnn")(X, Y, MASK)
