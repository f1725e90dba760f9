"""The numbers of a demo as JSON.

Takes a DemoResult. Gives text. Numbers are finite; a number of an empty group is null.

    schema             "relprop-demo/1"
    settings           model, digits, q, seed, pixels (of a digit), removed_pixels, confidence
    digits             used, available, split, source
    untouched          a summary: nothing removed
    controls           random, random_ink: summaries
    rules              a list: recipe, most_relevant and least_relevant (summaries)
    comparisons        epsilon_minus_random, epsilon_minus_random_ink: paired tests
    networks           a list: name, card, shares, curves (order -> a summary for each share)
    examples           a list: index, label, flips, original and after (order -> class and margin)
    poster             recipe -> the figures that the page's section on a poster compares with
    run                seconds, versions, threads: all that may differ between two equal runs

A summary has correct and wrong (n, largest, mean, interval of the mean margin) and error_rate
(count, n, value, interval). A rate is 0 to 1; every interval is {low, high}, at 95 %. A paired test
has difference (mean, interval, n) and p_value.
"""

import json
from dataclasses import asdict
from typing import Any

from ..support.estimates import CONFIDENCE
from .examples import Example, ImagePrediction
from .networks import NetworkResult
from .poster import POSTER
from .rule_table import MAIN_RECIPE
from .run import DemoResult

SCHEMA = "relprop-demo/1"


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
            "confidence": CONFIDENCE,
        },
        "digits": {
            "used": len(demo.digits.labels),
            "available": demo.available,
            "split": demo.digits.split,
            "source": demo.digits.source,
        },
        "untouched": asdict(table.untouched),
        "controls": {"random": asdict(table.random), "random_ink": asdict(table.random_ink)},
        "rules": [
            {
                "recipe": row.recipe,
                "most_relevant": asdict(row.most),
                "least_relevant": asdict(row.least),
            }
            for row in table.rows
        ],
        "comparisons": {
            f"{MAIN_RECIPE}_minus_random": asdict(table.against_random),
            f"{MAIN_RECIPE}_minus_random_ink": asdict(table.against_random_ink),
        },
        "networks": [_network(network, demo) for network in demo.networks],
        "examples": [_example(example) for example in demo.examples],
        "poster": {
            recipe: {"largest_correct": correct, "largest_wrong": wrong}
            for recipe, (correct, wrong) in POSTER.items()
        },
        "run": asdict(demo.run),
    }


def _network(network: NetworkResult, demo: DemoResult) -> dict[str, Any]:
    return {
        "name": network.name,
        "card": asdict(demo.cards[network.name]),
        "shares": list(network.shares),
        "curves": {
            order: [asdict(summary) for summary in summaries]
            for order, summaries in network.curves.items()
        },
    }


def _example(example: Example) -> dict[str, Any]:
    return {
        "index": example.index,
        "label": example.label,
        "flips": example.flips,
        "original": _prediction(example.original),
        "after": {order: _prediction(image) for order, image in example.after.items()},
    }


def _prediction(image: ImagePrediction) -> dict[str, Any]:
    return {"prediction": image.prediction, "margin": image.margin}
