"""The benchmark of sizes explains a stream call by call, and writes a page of ratios."""

import sizes
import torch
from long_text import LongText
from sizes import Stream
from sizes_page import FirstCall, StreamRow, page
from torch import nn


def net():
    """Make a small net of convolutions, and a batch."""
    layers = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    return nn.Sequential(*layers), torch.randn(2, 3, 8, 8)


def test_a_stream_is_explained_size_by_size():
    stream = Stream(
        *("three sizes", net, "epsilon", (8, 9, 8, 10, 9), sizes.squares),
        peer=sizes.by_gradient,
        peer_name="Zennit",
    )
    row = sizes.measure_stream(stream)
    assert row.new == [True, True, False, True, False]
    assert row.captures == [0, 1]
    assert {len(seconds) for seconds in row.times.values()} == {5}
    x, (model, _) = sizes.squares(8), net()
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf).amax(1).sum(), leaf)
    torch.testing.assert_close(sizes.by_gradient(model)(x), x * gradient)


def test_the_page_has_ratios_beside_those_of_before():
    """Captures are left out of the second ratio, and of the times of calls."""
    times = {"relprop": [9.0, 3.0, 2.0, 1.0], "gradient": [1.0] * 4, "peer": [2.0] * 4}
    row = StreamRow("a, texts", "LXT", times, [True, True, True, False])
    before = {
        "streams": [vars(row) | {"times": times | {"relprop": [9.0, 9.0, 9.0, 9.0]}}],
        "first": [{"name": "b", "export": 1.0, "forward": 0.5, "relprop": 6.0}],
        "long": {
            "name": "c",
            "times": {"relprop": 3.0, "gradient": 2.0},
            "memory": {"relprop": 4.0, "gradient": 1.0},
            "first": 9.0,
        },
    }
    long = LongText("c", {"relprop": 2.0, "gradient": 4.0}, {"relprop": 3.0, "gradient": 2.0}, 5.0)
    text = page([row], [FirstCall("b", 1.0, 0.5, 2.0)], long, before, 1)
    assert (
        "| a, texts | 3.75 | 2.00 **missed** | 9.00 | 1.50 | 1.10 **missed** | 9.00 "
        "| 2000, 1000 | LXT 0.75 | 1.00 met |"
    ) in text
    assert "| b | 1.00 | 0.500 | 2.00 | 1.00 | 1.50 met | 3.00 |" in text
    assert "| c | 0.50 | 1.15 met | 1.50 | 1.50 | 1.30 **missed** | 4.00 | 3.00 | 5.0 |" in text
