"""Logits of an output: their values, computed by the graph, against the model without its head."""

import pytest
import torch
from helpers.heads import X, captured, logits
from torch.nn import functional

from relprop.graph.head import find_logits, original_name, with_logits

P, LOG_P, LABELS = "probabilities", "log-probabilities", "independent probabilities"
# A head, its kind, and the logits in the shape of its output.
HEADS = {
    "sigmoid": (torch.sigmoid, LABELS, lambda z: z),
    "softmax": (lambda z: z.softmax(1), P, lambda z: z),
    "log_softmax": (lambda z: z.log_softmax(1), LOG_P, lambda z: z),
    "softmax with a stabiliser": (
        lambda z: z.exp() / (z.exp().sum(1, keepdim=True) + 1e-3),
        P,
        lambda z: z,
    ),
    "one class of a softmax with a stabiliser": (
        lambda z: functional.normalize(z.exp(), p=1, dim=1)[:, 1],
        P,
        lambda z: z[:, 1],
    ),
    "temperature before": (lambda z: (z / 2).softmax(1), P, lambda z: z / 2),
    "softmin": (lambda z: functional.softmin(z, 1), P, lambda z: -z),
    "one class, squeezed": (lambda z: z[:, :1].sigmoid().squeeze(1), LABELS, lambda z: z[:, 0]),
    "one class of softmax": (lambda z: z.softmax(1)[:, 1], P, lambda z: z[:, 1]),
    "permuted": (
        lambda z: z.reshape(-1, 3, 1).softmax(1).permute(0, 2, 1),
        P,
        lambda z: z.reshape(-1, 1, 3),
    ),
    "nearest neighbours": (
        lambda z: functional.interpolate(z.softmax(1)[:, None], 6),
        P,
        lambda z: z[:, None].repeat_interleave(2, 2),
    ),
    "logarithm": (lambda z: (z.softmax(1) + 1e-8).log(), LOG_P, lambda z: z),
    "exponential": (lambda z: z.log_softmax(1).exp(), P, lambda z: z),
    "clamped": (lambda z: z.sigmoid().clamp(1e-6, 1 - 1e-6), LABELS, lambda z: z),
    "scaled": (lambda z: 5 * z.sigmoid() - 0.5, "other", lambda z: z),
    "energy": (lambda z: -z.log_softmax(1), "other", lambda z: -z),
    "complement": (lambda z: 1 - z.sigmoid(), LABELS, lambda z: -z),
    "both classes": (
        lambda z: torch.stack([1 - z[:, 0].sigmoid(), z[:, 0].sigmoid()], 1),
        LABELS,
        lambda z: torch.stack([-z[:, 0], z[:, 0]], 1),
    ),
    "beside scores": (
        lambda z: torch.cat([z[:, 1:], z[:, :1].sigmoid()], 1),
        "other",
        lambda z: torch.cat([z[:, 1:], z[:, :1]], 1),
    ),
    "with the dtype of another": (lambda z: z.sigmoid().type_as(z), LABELS, lambda z: z),
    "twice": (lambda z: z.sigmoid().softmax(1), P, lambda z: z),
}


@pytest.mark.parametrize("name", HEADS)
def test_the_graph_computes_the_logits_in_the_shape_of_the_output(name):
    head, kind, want = HEADS[name]
    graph, dependent, _ = captured(head)
    extended = with_logits(graph, find_logits(graph, dependent))
    assert extended.head.kind == kind
    state = {n: dict(logits().named_parameters())[path] for n, path in graph.state.items()}
    (label,) = graph.inputs
    values = extended.initial_values({label: X}, state)
    got = extended.compute(extended.scores, values)[extended.scores]
    torch.testing.assert_close(got, want(logits()(X)), rtol=1e-12, atol=1e-12)
    known = {node.name: node for node in graph.nodes}
    added = [node for node in extended.nodes if node.name not in known]
    assert all(known[original_name(node.name)].shape == node.shape for node in added)


@pytest.mark.parametrize(
    "head",
    [
        lambda z: z,
        torch.tanh,
        lambda z: 0 * z.sigmoid(),
        lambda z: z.softmax(1).masked_fill(torch.tensor([True, False, False]), 0.0),
        lambda z: z.sigmoid() * torch.ones(3),
        lambda z: z.softmax(1).mean(1),
        lambda z: z * z.sigmoid(),
    ],
)
def test_other_outputs_have_no_known_logits(head):
    graph, dependent, _ = captured(head)
    assert find_logits(graph, dependent) is None
