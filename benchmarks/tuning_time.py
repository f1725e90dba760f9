"""Times the scoring of recipes on mnist-cnn, beside its forward passes and PnPXAI's optimizer.

    python benchmarks/tuning_time.py DATA --out docs/tuning-time.md

Needs the packages pnpxai 0.1.4 and zennit, beside torch and optuna. The work is the same for all:
a recipe for mnist-cnn is scored on 256 digits by a curve of most and one of least relevant first.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import optuna
import torch
from torch import Tensor, nn

import relprop
from relprop.support.progress import QUIET
from relprop.tuning.dimensions import make_space
from relprop.tuning.objective import Judging
from relprop.tuning.setting import TuningSetting, prepare_tuning
from relprop.tuning.space import RecipeSpace
from relprop.tuning.study import search_recipes

DIGITS, STEPS, SEED = 256, 20, 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with mnist")
    parser.add_argument("--out", type=Path, default=Path("docs/tuning-time.md"))
    parser.add_argument("--recipes", type=int, default=40, help="of each, in turn")
    options = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    model = relprop.load_model("mnist-cnn").eval()
    x = relprop.data.load_digits("test", options.data).images[: 4 * DIGITS]
    ways = {
        "forward passes": forward_passes(model, x[:DIGITS]),
        "relprop, fill mean": scoring(model, x, "mean"),
        "relprop, fill zero": scoring(model, x, "zero"),
        "PnPXAI, fill zero": pnpxai(model, x[:DIGITS]),
    }
    times = interleave(ways, options.recipes)
    halving = halved_search(model, x, options.recipes) / options.recipes
    options.out.write_text(page(times, halving, options.recipes))


def interleave(ways: Mapping[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Time each way once a round, in CPU seconds of this process; the first round is left out."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for k in range(rounds + 1):
        for name, way in ways.items():
            start = time.process_time()
            way()
            if k:
                times[name].append(time.process_time() - start)
    return times


def forward_passes(model: nn.Module, x: Tensor) -> Callable[[], None]:
    """Return what a recipe consists of: two curves of so many passes over all digits."""

    def run() -> None:
        with torch.no_grad():
            for _ in range(2 * STEPS):
                model(x)

    return run


def prepare(model: nn.Module, x: Tensor, fill: str) -> tuple[TuningSetting, RecipeSpace]:
    """Return what `relprop.tune` prepares; a quarter of the samples, 256, is searched on."""
    judging = Judging(measures=("srg",), fills={}, steps=STEPS, seed=SEED)
    setting = prepare_tuning(model, x, None, judging, fill, (), None)
    return setting, make_space(setting.plan, bounds=setting.bounds)


def halved_search(model: nn.Module, x: Tensor, recipes: int) -> float:
    """Return the CPU seconds of a search with successive halving, as `relprop tune` runs it."""
    setting, space = prepare(model, x, "zero")
    start = time.process_time()
    search_recipes(
        *(space, setting.scores_by_piece),
        first=tuple(setting.methods.presets.values()),
        objectives=1,
        trials=recipes,
        seed=SEED,
        identity="",
        folder=None,
        progress=QUIET,
    )
    return time.process_time() - start


def scoring(model: nn.Module, x: Tensor, fill: str) -> Callable[[], None]:
    """Return the scoring of a random recipe on all search samples, as `relprop tune` does it."""
    one, space = prepare(model, x, fill)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=SEED))

    def run() -> None:
        assert len(list(one.scores_by_piece(space.choose(study.ask())))) == len(one.pieces)

    return run


def pnpxai(model: nn.Module, x: Tensor) -> Callable[[], None]:
    """Return a trial of PnPXAI's optimizer: epsilon-gamma-box, and its area between the curves."""
    import_torchvision()
    from pnpxai.core.modality.modality import ImageModality
    from pnpxai.evaluator.metrics import AbPC
    from pnpxai.evaluator.optimizer.objectives import Objective
    from pnpxai.explainers import LRPEpsilonGammaBox
    from pnpxai.explainers.utils.postprocess import PostProcessor

    with torch.no_grad():
        target = model(x).argmax(1)
    objective = Objective(
        explainer=LRPEpsilonGammaBox(model, low=0.0, high=1.0),
        postprocessor=PostProcessor.from_name("sumpos", "identity", 1),
        metric=AbPC(model, n_steps=STEPS + 1),  # its first step removes nothing and runs once
        modality=ImageModality(),
        inputs=x,
        targets=target,
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=SEED))
    return lambda: study.optimize(objective, n_trials=1)


def import_torchvision() -> None:
    """Let torchvision be imported beside a torch without CUDA, which lacks two of its operators."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        global OPERATORS
        OPERATORS = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def page(times: Mapping[str, list[float]], halving: float, recipes: int) -> str:
    """Write the page: seconds of each way and the ratio to the forward passes, round by round."""
    passes = times["forward passes"]
    rows = []
    for name, seconds in times.items():
        ratios = sorted(a / b for a, b in zip(seconds, passes, strict=True))
        low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
        shown = f"{median(ratios):.2f} ({low:.2f} to {high:.2f})"
        rows.append(f"| {name} | {median(seconds):.2f} | {shown} |")
    share = halving / median(passes)
    rows.append(
        f"| relprop, fill zero, a search with successive halving | {halving:.2f} | {share:.2f} |"
    )
    peer = median(times["PnPXAI, fill zero"])
    full = peer / median(times["relprop, fill zero"])
    return f"""# What scoring a recipe costs

Written by `benchmarks/tuning_time.py`. A recipe for mnist-cnn is scored on {DIGITS} digits by a
curve of most and one of least relevant first, {STEPS} removals each: {2 * STEPS * DIGITS:,} forward
passes at most. relprop skips a removal that changes nothing, such as black pixels that become
black, and a recipe that is behind after a quarter or half of the digits is stopped (successive
halving). PnPXAI 0.1.4 scores its epsilon-gamma-box by its area between the curves, the same
removals, epsilon and gamma drawn by Optuna. {recipes} recipes of each in turn; CPU seconds of one
thread, median, and the ratio to the forward passes of the same round with its quartiles. Capture
and the scores of the digits as they are, which all recipes of a search share, are not counted, nor
is what PnPXAI prepares.

| way | seconds a recipe | times the forward passes |
|---|--:|--:|
{chr(10).join(rows)}

PnPXAI takes {full:.1f} times as long for each recipe that is scored on all digits, and
{peer / halving:.1f} times as long for each recipe of a search. More is not possible for scoring
alone: both consist of forward passes, which PnPXAI runs in batches too.

torch {torch.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, seed {SEED}.
"""


if __name__ == "__main__":
    main()
