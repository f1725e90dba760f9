"""The numbers of a demo as JSON, and as a short table for a terminal.

Takes a Demo. Gives text. Numbers are finite; a number of an empty group is null.

    schema             "relprop-demo/1"
    settings           model, digits, q, seed, pixels (of a digit), removed_pixels, confidence
    digits             used, available, split, source
    untouched          a cell: the digits as they are
    controls           random, random_ink: cells
    rules              a list: recipe, most_relevant and least_relevant (cells), poster (or null)
    comparisons        epsilon_minus_random, epsilon_minus_random_ink: paired differences
    networks           a list: name, card (its facts), steps, curves (order -> a cell for each step)
    examples           a list: index, label, flips, original and after (order -> class and margin)
    run                seconds, versions, threads: all that may differ between two equal runs

A cell has correct and wrong (n, largest, mean, interval of the mean) and error_rate (count, n,
value, interval). A rate is 0 to 1; every interval is {low, high}, at 95 %. A paired difference has
difference (mean, interval, n) and p_value.
"""

import json
from dataclasses import asdict
from textwrap import wrap
from typing import Any

from ..evaluate.statistics.classification import ClassificationSummary
from ..evaluate.statistics.estimates import CONFIDENCE
from . import wording
from .examples import Example, Picture
from .experiment import MAIN_RECIPE, POSTER
from .networks import Network
from .run import Demo

SCHEMA = "relprop-demo/1"
WIDTH = 80  # of the short table


def to_json(demo: Demo) -> str:
    """The numbers as JSON text."""
    return json.dumps(as_record(demo), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_record(demo: Demo) -> dict[str, Any]:
    """The numbers as plain dicts, lists and numbers, in the schema above."""
    settings, table = demo.settings, demo.table
    return {
        "schema": SCHEMA,
        "settings": {
            "model": settings.model,
            "digits": "all" if settings.digits is None else settings.digits,
            "q": table.q,
            "seed": settings.seed,
            "pixels": table.pixels,
            "removed_pixels": table.count,
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
                "poster": _poster(row.recipe),
            }
            for row in table.rows
        ],
        "comparisons": {
            f"{MAIN_RECIPE}_minus_random": asdict(table.against_random),
            f"{MAIN_RECIPE}_minus_random_ink": asdict(table.against_random_ink),
        },
        "networks": [_network(network, demo) for network in demo.networks],
        "examples": [_example(example) for example in demo.examples],
        "run": asdict(demo.run),
    }


def _poster(recipe: str) -> dict[str, float] | None:
    if recipe not in POSTER:
        return None
    correct, incorrect = POSTER[recipe]
    return {"strongest_correct": correct, "strongest_incorrect": incorrect}


def _network(network: Network, demo: Demo) -> dict[str, Any]:
    return {
        "name": network.name,
        "card": asdict(demo.cards[network.name]),
        "steps": list(network.steps),
        "curves": {order: [asdict(c) for c in cells] for order, cells in network.curves.items()},
    }


def _example(example: Example) -> dict[str, Any]:
    return {
        "index": example.index,
        "label": example.label,
        "flips": example.flips,
        "original": _reading(example.original),
        "after": {order: _reading(picture) for order, picture in example.after.items()},
    }


def _reading(picture: Picture) -> dict[str, Any]:
    return {"prediction": picture.prediction, "margin": picture.margin}


def short_table(demo: Demo) -> str:
    """What a terminal shows: a line for each recipe, the controls, and the main comparison."""
    table, used = demo.table, len(demo.digits.labels)
    lines = [
        *wrap(f"{demo.settings.model} on {used:,} digits: {demo.digits.source}.", WIDTH),
        f"Misread once {table.count} of {table.pixels} pixels (q = {table.q:g}) are removed, "
        "with 95% intervals:",
        "",
        f"{'':20}{'most relevant':>26}{'least relevant':>26}",
        *(_line(row.recipe, row.most, row.least) for row in table.rows),
        "",
        _line("random pixels", table.random),
        _line("random ink pixels", table.random_ink),
        _line("nothing removed", table.untouched),
        "",
        f"Most relevant by {MAIN_RECIPE}, minus the same digits with as many pixels removed at",
        f"  random:      {wording.comparison(table.against_random)}",
        f"  random ink:  {wording.comparison(table.against_random_ink)}",
    ]
    return "\n".join(lines)


def _line(name: str, *cells: ClassificationSummary) -> str:
    shares = (
        f"{wording.share(c.error_rate):>8}  ({wording.share_interval(c.error_rate.interval):>12})"
        for c in cells
    )
    return f"{name:20}" + "".join(f"{text:>26}" for text in shares).rstrip()
