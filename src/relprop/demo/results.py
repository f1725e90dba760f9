"""The numbers of a demo as JSON.

Takes a DemoResult. Gives text. Numbers are finite; a number of an empty group is null.

    schema             "relprop-demo/2"
    settings           model, digits, q, seed, pixels (of a digit), removed_pixels, fills (fill ->
                       grey value of a removed pixel), confidence
    digits             used, available, split, source
    untouched          a summary: nothing removed
    blank              digits (that have no more ink than is removed), class (of a blank picture)
    controls           order -> fill -> summary; orders that know no network
    rules              a list: recipe, most_relevant and least_relevant (fill -> summary),
                       minus_brightest (fill -> paired test of errors)
    networks           a list: name, card, shares, curves (fill -> order -> a summary for each
                       share), minus_controls (fill -> control -> a test for each share but 0),
                       holds and depends (sentences)
    examples           a list: index, label, kind, original and after (fill -> order -> class and
                       margin)
    poster             authors, and rule -> the figures that the founding table prints
    run                seconds, versions, threads: all that may differ between two equal runs

A summary has correct and wrong (n, largest, mean, interval of the mean margin) and error_rate
(count, n, value, interval). A rate is 0 to 1; every interval is {low, high}, at 95 %. A paired test
has difference (mean, interval, n) and p_value. Orders: a recipe's name is most relevant first,
"least" and its name is least |relevance| first.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..support.estimates import CONFIDENCE
from .examples import Example, Prediction
from .networks import NetworkResult
from .poster import AUTHORS, POSTER
from .run import DemoResult
from .verdicts import network_verdicts

SCHEMA, EARLIER_SCHEMA = "relprop-demo/2", "relprop-demo/1"


def to_json(demo: DemoResult) -> str:
    """Write the numbers as JSON text."""
    return json.dumps(as_record(demo), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_record(demo: DemoResult) -> dict[str, Any]:
    """Collect the numbers as plain dicts, lists and numbers, in the schema above."""
    settings, table = demo.settings, demo.table
    return {
        "schema": SCHEMA,
        "settings": {
            "model": settings.model,
            "digits": "all" if settings.digits is None else settings.digits,
            "q": table.q,
            "seed": settings.seed,
            "pixels": table.pixels,
            "removed_pixels": table.removed_pixels,
            "fills": dict(table.greys),
            "confidence": CONFIDENCE,
        },
        "digits": {
            "used": len(demo.digits.labels),
            "available": demo.available,
            "split": demo.digits.split,
            "source": demo.digits.source,
        },
        "untouched": asdict(table.untouched),
        "blank": {"digits": int(table.blanked.sum()), "class": table.blank_class},
        "controls": {name: _records(by_fill) for name, by_fill in table.controls.items()},
        "rules": [
            {
                "recipe": row.recipe,
                "most_relevant": _records(row.most),
                "least_relevant": _records(row.least),
                "minus_brightest": _records(row.against_brightest),
            }
            for row in table.rows
        ],
        "networks": [_network(network, demo) for network in demo.networks],
        "examples": [_example(example) for example in demo.examples],
        "poster": {
            "authors": list(AUTHORS),
            "rules": {
                recipe: {"largest_correct": correct, "largest_wrong": wrong}
                for recipe, (correct, wrong) in POSTER.items()
            },
        },
        "run": asdict(demo.run),
    }


def _records(by_fill: Mapping[str, Any]) -> dict[str, Any]:
    return {fill: asdict(record) for fill, record in by_fill.items()}


def _network(network: NetworkResult, demo: DemoResult) -> dict[str, Any]:
    verdicts = network_verdicts(network)
    return {
        "name": network.name,
        "card": asdict(demo.cards[network.name]),
        "shares": list(network.shares),
        "curves": {
            fill: {order: [asdict(each) for each in curve] for order, curve in by_order.items()}
            for fill, by_order in network.curves.items()
        },
        "minus_controls": {
            fill: {control: [asdict(each) for each in tests] for control, tests in found.items()}
            for fill, found in network.tests.items()
        },
        "holds": list(verdicts.holds),
        "depends": list(verdicts.depends),
    }


def _example(example: Example) -> dict[str, Any]:
    after: dict[str, dict[str, Any]] = {}
    for removal, prediction in example.after.items():
        after.setdefault(removal.fill, {})[removal.order] = _prediction(prediction)
    return {
        "index": example.index,
        "label": example.label,
        "kind": example.kind,
        "original": _prediction(example.original),
        "after": after,
    }


def _prediction(prediction: Prediction) -> dict[str, Any]:
    return {"prediction": prediction.label, "margin": prediction.margin}
