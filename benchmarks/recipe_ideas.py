"""Measures ideas about recipes on held-out samples and writes docs/recipe-ideas.md.

    python benchmarks/recipe_ideas.py DATA --work FOLDER --out docs/recipe-ideas.md

Relevance averaged over recipes, attention whose heads have rules of their own, and rules of other
papers for transformers. What is measured is kept as JSON beside the page.

n  samples      H  heads of an attention layer
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from recipe_ideas_page import page
from torch import Tensor
from tuned_networks import Ready, shipped, vit

import relprop
from relprop.evaluate import paired_test
from relprop.graph.ops import LAYERS
from relprop.rules.registry import RuleDefinition
from relprop.tuning.dimensions import find_positions
from relprop.tuning.methods import explain_by
from relprop.tuning.objective import Explain, JudgedSamples, Judging
from relprop.tuning.setting import TuningSetting, prepare_tuning

SAMPLES, STEPS, SEED, BATCH = 600, 10, 0, 200
NETWORKS = {"mnist-cnn, shipped": shipped, "Fashion-MNIST, ViT": vit}
RANDOM, ROUNDS = 16, 2  # assignments of rules to heads that are drawn; rounds of single changes

Heads = Sequence[Sequence[bool]]  # layer by layer, head by head: whether it is explained by attnlrp


def average(explains: Sequence[Explain]) -> Explain:
    """Average maps, each divided by the sum of its |relevance| in a sample.

    Args:
        explains: What computes the maps.
    """

    def explain(x: Any, target: Any) -> Tensor:
        return torch.stack([_scaled(one(x, target)) for one in explains]).mean(0)

    return explain


def _scaled(relevance: Tensor) -> Tensor:
    size = relevance.abs().flatten(1).sum(1).clamp(min=torch.finfo(relevance.dtype).tiny)
    return relevance / size.reshape(-1, *[1] * (relevance.ndim - 1))


def rule_of_heads(by_attnlrp: Sequence[bool]) -> RuleDefinition:
    """Make a rule that explains some heads of attention as attnlrp, and the others as cp-lrp.

    Args:
        by_attnlrp: Which, (H,).
    """
    chosen = torch.tensor(by_attnlrp).reshape(1, -1, 1, 1)

    @relprop.rule(kinds=("attention",))
    def heads(op: Any) -> relprop.Back:
        shares = {0: (0.25, 0.0), 1: (0.25, 0.0), 2: (0.5, 1.0)}  # query, key, value
        factors = [torch.where(chosen, *shares[place]) for place in op.places]
        vjp = op.vjp

        def pull(c: Tensor) -> tuple[Tensor, ...]:
            return tuple(g * f.to(g) for g, f in zip(vjp(c), factors, strict=True))

        return relprop.Back(pull, lambda c: {})

    return heads


def with_heads(recipe: relprop.Recipe, modules: Sequence[str], heads: Heads) -> relprop.Recipe:
    """Give each attention layer its rule of heads.

    Args:
        recipe: For all else.
        modules: Names of the modules of attention.
        heads: Their rules.
    """
    for module, of_layer in zip(modules, heads, strict=True):
        at = relprop.Selector(name=module, kinds=("attention",))
        recipe = recipe.using(at, rule_of_heads(of_layer))
    return recipe


def prepare(ready: Ready, samples: int) -> TuningSetting:
    """Divide test samples into search, selection and report."""
    rows = torch.linspace(0, len(ready.x) - 1, samples).long()
    judging = Judging(("srg",), {}, STEPS, ready.units, batch_size=BATCH, seed=SEED)
    return prepare_tuning(ready.model, ready.x[rows], None, judging, "mean", (), None)


def scores_of(samples: JudgedSamples, explain: Explain) -> Tensor:
    """Measure SRG of each sample, (n,)."""
    return samples.measure(explain)["srg", "mean"]


def compare_averages(setting: TuningSetting) -> tuple[str, list[dict[str, Any]]]:
    """Compare averages of the two and three best presets with the best one.

    Args:
        setting: The network and its samples.

    Returns:
        The preset that is best on the selection samples, and the rows of the page.
    """
    distinct = dict.fromkeys(setting.methods.same_as.values())
    explains = {
        n: explain_by(setting.explainer, setting.methods.presets[n], BATCH) for n in distinct
    }
    selection = setting.part(setting.parts.selection, setting.judging)
    means = {n: float(scores_of(selection, one).mean()) for n, one in explains.items()}
    best = sorted(means, key=lambda name: -means[name])
    report = setting.part(setting.parts.report, setting.judging)
    base = scores_of(report, explains[best[0]])
    rows = []
    for count in (2, 3):
        mixed = scores_of(report, average([explains[name] for name in best[:count]]))
        rows.append(row(f"average of {', '.join(best[:count])}", best[0], mixed, base))
    return best[0], rows


def compare_heads(setting: TuningSetting, preset: str) -> list[dict[str, Any]]:
    """Search rules of heads and rules of layers, and compare them on the report samples.

    Args:
        setting: The network and its samples.
        preset: The recipe for all but attention.
    """
    found = [step for step in setting.plan.steps if step.kind == "attention"]
    modules, width = [step.node.module for step in found], found[0].node.shape[1]
    assert isinstance(width, int)
    recipe = setting.methods.presets[preset]
    searched = setting.part(setting.parts.search, setting.judging)

    def explain(heads: Heads) -> Explain:
        return explain_by(setting.explainer, with_heads(recipe, modules, heads), BATCH)

    def score(heads: Heads) -> float:
        return float(scores_of(searched, explain(heads)).mean())

    layers = [
        [[bool(code >> i & 1)] * width for i in range(len(modules))]
        for code in range(2 ** len(modules))
    ]
    by_layer = max(layers, key=score)
    by_head, tries = search_heads(score, len(modules), width)
    report = setting.part(setting.parts.report, setting.judging)
    of_heads, of_layers = (scores_of(report, explain(one)) for one in (by_head, by_layer))
    named = f"rules of heads, best of {tries}"
    per_layer = f"rules of layers, best of {len(layers)}"
    base = scores_of(report, explain_by(setting.explainer, recipe, BATCH))
    return [row(named, per_layer, of_heads, of_layers), row(named, preset, of_heads, base)]


def compare_rules(setting: TuningSetting, preset: str) -> list[dict[str, Any]]:
    """Compare rules for transformers with what they replace, on the report samples.

    Args:
        setting: The network and its samples.
        preset: The one that is best on the selection samples.
    """
    presets = {name: relprop.Recipe.preset(name) for name in ("attnlrp", "libragrad", "gamma")}
    presets[preset] = setting.methods.presets[preset]
    positions = find_positions(setting.plan)
    assert positions is not None
    at = relprop.Selector(name=positions.node.module, operation="add")
    layers = relprop.Selector(kinds=LAYERS)
    by_sign = presets["gamma"].using(layers, "gamma-by-sign", positive=0.25, negative=0.0)
    pairs = [("libragrad", presets["libragrad"], "attnlrp"), ("gamma-by-sign", by_sign, "gamma")]
    for name in dict.fromkeys(("attnlrp", "libragrad", preset)):
        kept = presets[name].using(at, "position-to-token")
        pairs.append((f"{name}, position-to-token", kept, name))
    report = setting.part(setting.parts.report, setting.judging)

    def scores(recipe: relprop.Recipe) -> Tensor:
        return scores_of(report, explain_by(setting.explainer, recipe, BATCH))

    bases = {name: scores(presets[name]) for name in dict.fromkeys(one[2] for one in pairs)}
    return [row(name, other, scores(recipe), bases[other]) for name, recipe, other in pairs]


def search_heads(score: Callable[[Heads], float], layers: int, width: int) -> tuple[Heads, int]:
    """Draw assignments at random, then change heads of the best one by one while that helps.

    Args:
        score: What is maximised.
        layers: Number of layers.
        width: Number of heads of each.

    Returns:
        The best assignment, and how many were tried.
    """
    generator = torch.Generator().manual_seed(SEED)
    drawn = [torch.rand(layers, width, generator=generator) < 0.5 for _ in range(RANDOM)]
    scores = [score(one.tolist()) for one in drawn]
    top = max(range(RANDOM), key=lambda i: scores[i])
    best, best_score, tries = drawn[top], scores[top], RANDOM
    for place in [*range(layers * width)] * ROUNDS:
        other = best.clone()
        other.view(-1)[place] ^= True
        now, tries = score(other.tolist()), tries + 1
        if now > best_score:
            best, best_score = other, now
    return best.tolist(), tries


def row(idea: str, against: str, first: Tensor, second: Tensor) -> dict[str, Any]:
    """Return one row of the page: an idea against something else on the report samples."""
    gain = paired_test(first, second)
    interval = gain.difference.interval
    return {
        "idea": idea,
        "against": against,
        "srg": float(first.mean()),
        "other": float(second.mean()),
        "gain": gain.difference.mean,
        "interval": None if interval is None else [interval.low, interval.high],
    }


def measure(ready: Ready, samples: int) -> dict[str, Any]:
    """Measure all ideas on one network.

    Args:
        ready: The network.
        samples: How many of its test samples are taken.
    """
    start = time.perf_counter()
    setting = prepare(ready, samples)
    preset, rows = compare_averages(setting)
    if any(step.kind == "attention" for step in setting.plan.steps):
        rows += compare_heads(setting, preset)
    if find_positions(setting.plan) is not None:
        rows += compare_rules(setting, preset)
    return {"samples": setting.parts.sizes, "rows": rows, "seconds": time.perf_counter() - start}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder of networks")
    parser.add_argument("--out", type=Path, default=Path("docs/recipe-ideas.md"))
    parser.add_argument("--samples", type=int, default=SAMPLES)
    options = parser.parse_args()
    torch.set_num_threads(1)
    runs = {}
    for name, make in NETWORKS.items():
        runs[name] = measure(make(options.data, options.work), options.samples)
        print(name, json.dumps(runs[name], indent=1), flush=True)
    options.out.with_suffix(".json").write_text(json.dumps(runs, indent=1) + "\n")
    options.out.write_text(page(runs))


if __name__ == "__main__":
    main()
