"""Networks side by side, on a model whose reason is known."""

from helpers.one_pixel import Oracle, planted_digits

from relprop.demo.networks import compare_networks


def test_networks_classify_at_every_share_in_every_order():
    oracle, wrong = compare_networks(
        {"oracle": Oracle(), "wrong": Oracle(wrong=True)}, planted_digits(), q=0.04
    )
    assert oracle.shares == (0.0, 0.025, 0.04, 0.05, 0.1, 0.2, 0.3)
    # 0.025 of 25 pixels rounds to one: without it the eight digits of classes 1 and 2 are wrong
    assert [s.error_rate.count for s in oracle.curves["morf"]] == [0, 8, 8, 8, 8, 8, 8]
    assert [s.error_rate.count for s in oracle.curves["lerf"]] == [0] * 7
    assert oracle.curves["random"] == wrong.curves["random"]
    assert oracle.untouched.error_rate.count == 0
    assert oracle.at("morf", 0.04) == oracle.curves["morf"][2]
