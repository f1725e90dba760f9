"""The numbers of a method are those of its curves."""

import torch
from helpers.hand_made_curves import LERF, MORF, curve

from relprop.evaluate import (
    MethodCurves,
    abpc,
    aopc,
    bootstrap_mean,
    error_rate,
    faithfulness,
    faithfulness_by_method,
    margin_drop,
    paired_test,
    srg,
)


def test_a_method_s_numbers_are_those_of_its_curves():
    random = curve([[1.0, 0.7, 0.2], [0.8, 0.2, 0.0]], "random")
    curves, labels = MethodCurves(MORF, LERF, random), torch.tensor([1, 0])
    got = faithfulness(curves, q=0.25, labels=labels, seed=3)
    assert got.morf == bootstrap_mean(MORF.auc, seed=3)
    assert got.lerf == bootstrap_mean(LERF.auc, seed=3)
    assert got.random == bootstrap_mean(random.auc, seed=3)
    assert got.srg == bootstrap_mean(srg(MORF, LERF), seed=3)
    assert got.abpc == bootstrap_mean(abpc(MORF, LERF), seed=3)
    assert got.aopc == bootstrap_mean(aopc(MORF), seed=3)
    assert got.against_random == paired_test(random.auc, MORF.auc, seed=3)
    assert got.error_rate == bootstrap_mean(error_rate(MORF, 0.25, labels), seed=3)
    assert got.margin_drop == bootstrap_mean(margin_drop(MORF, 0.25), seed=3)
    lines = str(got).splitlines()
    assert [line.split()[0] for line in lines] == [
        *("morf", "lerf", "random", "srg", "abpc", "aopc"),
        *("against_random", "error_rate", "margin_drop"),
    ]
    assert lines[3] == f"srg             {got.srg}"
    short = faithfulness(curves)
    assert (short.error_rate, short.margin_drop) == (None, None)
    assert len(str(short).splitlines()) == 7


def test_methods_have_the_same_numbers_together_as_alone():
    random = curve([[1.0, 0.7, 0.2], [0.8, 0.2, 0.0]], "random")
    methods = {"a": MethodCurves(MORF, LERF, random), "b": MethodCurves(random, MORF, LERF)}
    together = faithfulness_by_method(methods, q=0.25, seed=3)
    assert together == {name: faithfulness(one, q=0.25, seed=3) for name, one in methods.items()}
