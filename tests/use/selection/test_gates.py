"""Gates before a network: their penalty's gradient, and a network that computes what it did."""

import pytest
import torch

from relprop.networks.family import Facts
from relprop.networks.registry import find_family
from relprop.use.selection.gates import Gates, fold_gates, gated_family

FACTS = Facts("table", "classes", 3, 100, (5,))


def gated():
    family = gated_family(find_family("table", "mlp"))
    torch.manual_seed(0)
    return family.build({**family.default(FACTS), "width": 6, "ensemble": 4}, FACTS)


def test_weights_are_multiplied_by_the_gates_of_their_member_and_feature():
    gates = Gates((2, 1, 3))
    with torch.no_grad():
        gates.gates.copy_(torch.tensor([[[1.0, 2.0, 0.0]], [[-1.0, 0.5, 3.0]]]))
    weight = torch.arange(24.0).view(2, 4, 3)
    made = gates(weight)
    for member in range(2):
        for feature in range(3):
            want = weight[member, :, feature] * gates.gates[member, 0, feature]
            assert torch.equal(made[member, :, feature], want)


def test_the_gradient_has_that_of_the_penalty_beside_its_own():
    """0.03 times the mean over members of the sum of |gates|, differentiated by finite steps."""
    gates, weight = Gates((2, 1, 3)).double(), torch.randn(2, 4, 3, dtype=torch.float64)
    with torch.no_grad():
        gates.gates.copy_(torch.tensor([[[0.3, -0.2, 0.7]], [[0.1, 0.4, -0.9]]]))
    gates(weight).square().sum().backward()

    def objective(values):
        penalty = 0.03 * values.abs().sum() / 2
        return (weight * values).square().sum() + penalty

    step = 1e-6
    for place in [(0, 0, 0), (0, 0, 1), (1, 0, 2)]:
        up, down = gates.gates.detach().clone(), gates.gates.detach().clone()
        up[place] += step
        down[place] -= step
        want = (objective(up) - objective(down)) / (2 * step)
        torch.testing.assert_close(gates.gates.grad[place], want, rtol=1e-6, atol=1e-8)


def test_a_network_without_its_gates_computes_what_it_did_with_them():
    network = gated()
    x = torch.randn(7, 5)
    before = network(x)
    assert any("gates" in name for name, _ in network.named_parameters())
    assert fold_gates(network) is network
    assert torch.equal(network(x), before)
    assert not any("gates" in name for name, _ in network.named_parameters())


@pytest.mark.parametrize(
    ("modality", "family", "shape"),
    [("picture", "mlp", (1, 4, 6)), ("picture", "mlp", (3, 40, 40)), ("series", "fcn", (3, 9))],
    ids=["pixels", "averaged pixels", "channels"],
)
def test_a_gate_of_a_pixel_or_channel_is_as_good_as_its_value_multiplied(modality, family, shape):
    """And the folded network computes what the gated one did."""
    facts = Facts(modality, "classes", 3, 100, shape)
    plain = find_family(modality, family)
    settings = plain.default(facts)
    torch.manual_seed(0)
    network = gated_family(plain).build(settings, facts).eval()
    torch.manual_seed(0)
    without = plain.build(settings, facts).eval()
    (gates,) = (one for name, one in network.named_parameters() if name.endswith("gates"))
    assert gates.shape == {(1, 4, 6): (1, 24), (3, 40, 40): (1, 1200), (3, 9): (1, 3, 1)}[shape]
    with torch.no_grad():
        gates.copy_(torch.randn(gates.shape))
    of_entries = gates.detach()[0]
    if shape == (3, 40, 40):  # averaged by 2 x 2: a gate for each of 20 x 20 places
        of_entries = of_entries.view(3, 20, 20).repeat_interleave(2, 1).repeat_interleave(2, 2)
    elif modality == "picture":
        of_entries = of_entries.view(shape)
    x = torch.randn(5, *shape)
    torch.testing.assert_close(network(x), without(x * of_entries), rtol=1e-4, atol=1e-5)
    before = network(x)
    assert torch.equal(fold_gates(network)(x), before)
