"""Networks side by side, on a model whose reason is known."""

import torch
from helpers.one_pixel import Oracle, planted_digits

from relprop.demo.networks import compare_networks
from relprop.demo.removal import BRIGHTEST, INK, Removal
from relprop.demo.rule_table import MAIN_RECIPE, compute_rule_table
from relprop.evaluate import Predictions, paired_test

NETWORKS = {"oracle": Oracle(), "wrong": Oracle(wrong=True)}


def errors(network, order, fill="zero"):
    return [summary.error_rate.count for summary in network.curves[fill][order]]


def test_networks_classify_at_every_share_in_every_order():
    oracle, wrong = compare_networks(NETWORKS, planted_digits(), q=0.04)
    assert oracle.shares == (0.0, 0.04, 0.05, 0.1, 0.2)
    # 0.04 of 25 pixels is one: without it the eight digits of classes 1 and 2 are wrong
    assert errors(oracle, MAIN_RECIPE) == errors(oracle, MAIN_RECIPE, "mean") == [0, 8, 8, 8, 8]
    assert errors(wrong, MAIN_RECIPE) == [0] * 5
    for order in (BRIGHTEST, INK):  # which are the same for all networks
        assert oracle.curves["zero"][order] == wrong.curves["zero"][order]
        assert errors(oracle, order)[-1] == 8  # five pixels: all three that are lit
    assert oracle.untouched.error_rate.count == 0
    assert oracle.at(MAIN_RECIPE, "mean", 0.04) == oracle.curves["mean"][MAIN_RECIPE][1]


def test_relevance_is_tested_against_each_control_digit_by_digit():
    digits = planted_digits()
    (oracle,) = compare_networks({"oracle": Oracle()}, digits, q=0.04)
    table = compute_rule_table({MAIN_RECIPE: Oracle()}, digits, q=0.04)
    for control in (BRIGHTEST, INK):
        wrong = [
            table.after(order, "mean").prediction != digits.labels
            for order in (MAIN_RECIPE, control)
        ]
        assert oracle.tests["mean"][control][0] == paired_test(*wrong)


def test_what_is_known_of_a_network_is_taken():
    digits = planted_digits()
    unexplained = Oracle()
    unexplained.__class__ = type("Unexplained", (Oracle,), {"__call__": None})
    relevance = Oracle()(digits.images).relevance
    all_wrong = Predictions(digits.labels + 1, torch.full((12,), 0.5))
    (result,) = compare_networks(
        {"oracle": unexplained},
        digits,
        q=0.04,
        relevance={"oracle": relevance},
        known={"oracle": {Removal(MAIN_RECIPE, "zero", 1): all_wrong}},
    )
    assert result.relevance is relevance
    assert errors(result, MAIN_RECIPE)[1] == 12  # as known
    assert errors(result, MAIN_RECIPE, "mean")[1] == 8  # as computed
