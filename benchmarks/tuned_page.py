"""Writes docs/tuned.md from the numbers of tuned.py."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from versions import installed

HEAD = """# What tuning the rules gains

Written by `benchmarks/tuned.py`: `relprop tune` on networks of several kinds, each on samples of
its test part. A quarter of them was searched on, on another quarter the best of the search and of
all presets was selected, and everything below was measured on the other half, which neither had
seen. SRG is the area between the removal curves, least relevant first minus most relevant first,
of the probability of the predicted class; removed pixels become the mean. A gain is the tuned
recipe minus another method on the same samples, with its 95 % bootstrap interval; an interval
that holds 0 is a null. One seed; the intervals are over samples, not over searches.

"""
PACKAGES = ("torch", "optuna", "captum")


def page(runs: Mapping[str, Any], names: Sequence[str]) -> str:
    """Write the page; networks that were not measured are left out."""
    known = [(name, runs[name]) for name in names if name in runs]
    parts = [_summary(known), _fills(known), *(_network(name, run) for name, run in known)]
    versions = ", ".join(f"{name} {number}" for name, number in installed(PACKAGES).items())
    machine = f"Written on {os.cpu_count()} cores, one thread, with {versions}."
    return HEAD + "\n\n".join([*parts, machine]) + "\n"


def _summary(known: Sequence[tuple[str, Any]]) -> str:
    above = sum(_beats_all(run) for _, run in known)
    lines = [
        "## Under the fill that was tuned for",
        "",
        f"The tuned recipe is above every preset, with an interval above zero, on {above} of "
        f"{len(known)} networks.",
        "",
        "| network | accuracy, % | recipes | samples | SRG, tuned | best preset | gain over it "
        "| gradient x input | integrated gradients | SmoothGrad | minutes |",
        "|---|--:|--:|--:|---|---|---|---|---|---|--:|",
    ]
    for name, run in known:
        first, best = run["scores"][0], _best_preset(run)
        others = (_gain_over(first, m) for m in GRADIENTS)
        lines.append(
            f"| {name} | {100 * run['accuracy']:.1f} | {run['trials']} "
            f"| {run['samples']['report']} | {_interval(first['tuned'])} | {best['method']} "
            f"{best['mean']:.3f} | {_gain(best)} | {' | '.join(others)} "
            f"| {run['seconds'] / 60:.0f} |"
        )
    return "\n".join(lines)


GRADIENTS = ("gradient-x-input", "integrated-gradients", "smoothgrad")


def _fills(known: Sequence[tuple[str, Any]]) -> str:
    lines = [
        "## Under other fills",
        "",
        "Gain over the preset that is best there, where the recipe was not tuned for the fill.",
        "",
        "| network | fill | SRG, tuned | best preset | gain over it |",
        "|---|---|---|---|---|",
    ]
    for name, run in known:
        for scores in run["scores"]:
            if not scores["tuned_for"]:
                best = _best_of(scores)
                lines.append(
                    f"| {name} | {scores['fill']} | {_interval(scores['tuned'])} "
                    f"| {best['method']} {best['mean']:.3f} | {_gain(best)} |"
                )
    return "\n".join(lines)


def _network(name: str, run: Any) -> str:
    rows = sorted(run["scores"][0]["methods"], key=lambda one: -one["mean"])
    methods = [f"| {m['method']} | {m['mean']:.4f} | {_gain(m)} |" for m in rows]
    classes = [f"| {run['classes'][one['class']]} | {_gain(one)} |" for one in run["by_class"]]
    left = [f"Not compared: {', '.join(sorted(run['left_out']))}.", ""] if run["left_out"] else []
    return "\n".join(
        [
            f"## {name}",
            "",
            f"{run['verdict']} It is {run['origin']}; {run['stopped_early']} of {run['trials']} "
            "recipes were stopped early.",
            "",
            *left,
            "```toml",
            run["recipe"].strip(),
            "```",
            "",
            "| method | SRG | gain of the tuned recipe |",
            "|---|--:|---|",
            *methods,
            "",
            f"By predicted class, over {run['reference']}:",
            "",
            "| class | gain |",
            "|---|---|",
            *classes,
        ]
    )


def _presets(scores: Any) -> list[Any]:
    return [one for one in scores["methods"] if one["method"] not in GRADIENTS]


def _best_of(scores: Any) -> Any:
    return max(_presets(scores), key=lambda one: one["mean"])


def _best_preset(run: Any) -> Any:
    return _best_of(run["scores"][0])


def _beats_all(run: Any) -> bool:
    gains = [one["gain_interval"] for one in _presets(run["scores"][0])]
    return all(ends is not None and ends[0] > 0 for ends in gains)


def _gain_over(scores: Any, method: str) -> str:
    found = [one for one in scores["methods"] if one["method"] == method]
    return _gain(found[0]) if found else "-"


def _gain(one: Any) -> str:
    ends = one["gain_interval"]
    interval = "" if ends is None else f" [{ends[0]:+.3f}, {ends[1]:+.3f}]"
    return f"{one['gain']:+.3f}{interval}"


def _interval(one: Any) -> str:
    ends = one["interval"]
    return f"{one['mean']:.3f}" + ("" if ends is None else f" [{ends[0]:.3f}, {ends[1]:.3f}]")
