"""Gates before a network: their penalty's gradient, and a network that computes what it did."""

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
    gates = Gates(2, 3)
    with torch.no_grad():
        gates.gates.copy_(torch.tensor([[1.0, 2.0, 0.0], [-1.0, 0.5, 3.0]]))
    weight = torch.arange(24.0).view(2, 4, 3)
    made = gates(weight)
    for member in range(2):
        for feature in range(3):
            want = weight[member, :, feature] * gates.gates[member, feature]
            assert torch.equal(made[member, :, feature], want)


def test_the_gradient_has_that_of_the_penalty_beside_its_own():
    """0.03 times the mean over members of the sum of |gates|, differentiated by finite steps."""
    gates, weight = Gates(2, 3).double(), torch.randn(2, 4, 3, dtype=torch.float64)
    with torch.no_grad():
        gates.gates.copy_(torch.tensor([[0.3, -0.2, 0.7], [0.1, 0.4, -0.9]]))
    gates(weight).square().sum().backward()

    def objective(values):
        penalty = 0.03 * values.abs().sum() / 2
        return (weight * values[:, None, :]).square().sum() + penalty

    step = 1e-6
    for place in [(0, 0), (0, 1), (1, 2)]:
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
