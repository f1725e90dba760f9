"""Writes docs/recipe-ideas.md from the numbers of recipe_ideas.py."""

import os
from collections.abc import Mapping
from typing import Any

from versions import installed

HEAD = """# Ideas about recipes, measured

Written by `benchmarks/recipe_ideas.py`. **Averaging**: the mean of the maps of the two or three
presets that are best on the selection samples, each map divided by the sum of its |relevance|.
**Rules of heads**: each head of each attention layer takes either the rule attnlrp or cp-lrp; the
best assignment on the search samples, against the best where all heads of a layer agree. **Rules of
other papers**: the preset libragrad; position-to-token added to a preset; gamma-by-sign with 0.25
for outputs above zero and 0 below, against gamma with 0.25. SRG is that of
[the tuned recipes](tuned.md), removed pixels become the mean. Everything below was measured on
report samples that neither search nor selection had seen. A gain is the idea minus the other,
sample by sample, with its 95 % bootstrap interval; an interval that holds 0 is a null, and an idea
whose interval lies below 0 is worse. One seed.

"""
PACKAGES = ("torch",)


def page(runs: Mapping[str, Any]) -> str:
    """Write the page."""
    lines = ["| network | idea | SRG | against | its SRG | gain |", "|---|---|--:|---|--:|---|"]
    rows = [(name, one) for name, run in runs.items() for one in run["rows"]]
    for name, one in rows:
        lines.append(
            f"| {name} | {one['idea']} | {one['srg']:.3f} | {one['against']} "
            f"| {one['other']:.3f} | {_gain(one)} |"
        )
    won = sum(one["interval"] is not None and one["interval"][0] > 0 for _, one in rows)
    minutes = ", ".join(f"{name} {run['seconds'] / 60:.0f}" for name, run in runs.items())
    samples = next(iter(runs.values()))["samples"]
    versions = ", ".join(f"{name} {number}" for name, number in installed(PACKAGES).items())
    end = (
        f"{won} of {len(rows)} comparisons have an interval above zero. Samples of each network to "
        f"search, select and report on: {', '.join(map(str, samples))}. Minutes: {minutes}. "
        f"Written on {os.cpu_count()} cores, one thread, with {versions}."
    )
    return HEAD + "\n".join(lines) + f"\n\n{end}\n"


def _gain(one: Mapping[str, Any]) -> str:
    ends = one["interval"]
    interval = "" if ends is None else f" [{ends[0]:+.3f}, {ends[1]:+.3f}]"
    return f"{one['gain']:+.3f}{interval}"
