"""Writes docs/pruning.md and docs/pruning.png from the numbers of pruning.py."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from versions import installed

# The 97.5 % quantile of Student's distribution, by the number of values less one.
STUDENT = {2: 4.303, 4: 2.776}
Z = 1.96

HEAD = """# Removing channels by relevance

`relprop.use.prune_channels` makes a smaller copy of a classifier: it removes the channels and
neurons that carry the least relevance for the true classes, over a few samples of each class,
with all that depends on them. The record that it returns has the copy, what it lost, which layers
stayed whole and why, sizes, and accuracies before and after; it needs the extra `prune`.

```py
import relprop
from relprop.use import finetune, prune_channels, utilisation

pruned = prune_channels(model, x, y, sparsity=0.5, test=(x_test, y_test))
print(pruned)
finetune(pruned.model, x, y, epochs=2)
print(utilisation(model, x[:200], y[:200]))  # dead channels, channels that carry 99 %, biases, ...
```

`relprop prune` does so with a model and data such as `relprop explain` takes, and writes a model
that `relprop explain` reads. Of a .pt2 file it does not know how many channels pictures have:
`--mean 0 --std 1` says that it is one.

```bash
relprop prune mnist-cnn digits --sparsity 0.5 --finetune 1 --out smaller
```

Layers that residual connections add, and a depthwise convolution with what it reads, lose the same
channels, ranked by the sum of what they carry. Whole stay the output, convolutions in groups, tied
weights, layers that run twice, and layers whose width attention divides by heads: heads are not
removed, neurons between them are. A sparsity that would empty a layer, and samples of one class,
are errors.

To act on what `utilisation` says, build the network again with `utilisation(...).widths`, and train
it; the last table has what this did once.

## How this was measured

Written by `benchmarks/pruning.py`. Channels and neurons are ranked by a criterion and removed, as
`relprop.use.prune_channels` does, and the smaller network classifies 1,000 test pictures, without
training unless a table says so. `mnist-cnn` is the shipped network; `fashion-cnn` has its layers
and learned Fashion-MNIST for three epochs; `cifar-resnet` has three residual blocks, and learned
8,000 pictures of CIFAR-10 for 25 epochs; both with seed 0. Sparsity is the share of the channels
that is removed; channels that residual connections add count once.

- Relevance: the mean share that a channel carries of its layer's relevance for the true class, by
  the preset `auto` (Yeom et al. 2021; Hatefi et al. 2024). Taylor: |mean over space of activation
  times gradient of the loss| (Molchanov et al. 2017). Gradient: mean |gradient| of an activation.
  Weight norm: Euclidean norm of a channel's weights (Li et al. 2017). Random: random numbers.
- Pictures that criteria see are drawn from the training part, ten of each class unless a table
  says otherwise, with the seeds 0 to 4. Intervals are 95 %: of the mean over the seeds by Student's
  distribution; of weight norm, which draws nothing, of a share of 1,000 pictures. They tell of the
  draw of the pictures, not of trainings: each network was trained once.
- What scores of a layer are divided by, and whether channels are ranked over the network or in each
  layer, was chosen for each criterion but relevance, for each network, as what was best on 500
  training pictures at sparsity 0.5 (seed 0): the others have their best form of five, relevance its
  default of the library. That was chosen before on 600 training pictures of mnist-cnn alone,
  of shares, sums and sums of |R|, by three presets: the other two networks had no say in it.

"""


def write(
    docs: Path, known: Mapping[str, Mapping[str, Any]], advice: Mapping[str, Any] | None
) -> None:
    """Write the page and its picture."""
    if known:
        draw(known).savefig(docs / "pruning.png", dpi=80)
        (docs / "pruning.md").write_text(page(known, advice))


def page(known: Mapping[str, Mapping[str, Any]], advice: Mapping[str, Any] | None) -> str:
    """Write the page."""
    parts = [target_table(known)]
    parts += [curve_table(one) for one in known.values()]
    parts += [per_class_table(known), tuned_table(known), size_table(known), variant_table(known)]
    parts += [advice_table(advice)] if advice else []
    versions = ", ".join(f"{n} {v}" for n, v in installed(("torch", "torch-pruning")).items())
    seconds = sum(one["seconds"] for one in known.values())
    end = f"Written on one of {os.cpu_count()} shared cores in {seconds:.0f} s, with {versions}."
    picture = "![Accuracy over the share of removed channels, by criterion](pruning.png)"
    return HEAD + "\n\n".join([parts[0], picture, *parts[1:], end]) + "\n"


def interval(values: Sequence[float], pictures: int = 1_000) -> tuple[float, float, float]:
    """Return mean, low and high: over seeds, or of a share of pictures where there is one value."""
    mean = float(np.mean(values))
    if len(values) == 1:
        half = Z * (mean * (1 - mean) / pictures) ** 0.5
    else:
        half = STUDENT[len(values) - 1] * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return mean, mean - half, mean + half


def shown(values: Sequence[float]) -> str:
    """Write a mean and its interval in percent."""
    mean, low, high = (100 * one for one in interval(values))
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"


def target_table(known: Mapping[str, Mapping[str, Any]]) -> str:
    """Say at sparsity 0.5 whether the interval of relevance is above those of the others."""
    lines = [
        "## Half of the channels removed, no training",
        "",
        "| network | whole, % | relevance, % | Taylor, % | weight norm, % | relevance apart from |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for name, one in known.items():
        half = {criterion: curve["0.5"] for criterion, curve in one["curves"].items()}
        cells = [shown(half[c]) for c in ("relevance", "Taylor", "weight norm")]
        lines.append(
            f"| {name} | {100 * one['accuracy']:.1f} | {' | '.join(cells)} | {verdict(half)} |"
        )
    halves = [{c: curve["0.5"] for c, curve in one["curves"].items()} for one in known.values()]
    won = [half for half in halves if all(apart(half, c) for c in ("Taylor", "weight norm"))]
    lines += [
        "",
        f"The interval of relevance is above those of Taylor and weight norm on {len(won)} of "
        f"{len(halves)} networks; two of three were wanted.",
    ]
    return "\n".join(lines)


def apart(half: Mapping[str, Sequence[float]], criterion: str) -> bool:
    """Tell whether the interval of relevance is above that of another criterion."""
    return interval(half[criterion])[2] < interval(half["relevance"])[1]


def verdict(half: Mapping[str, Sequence[float]]) -> str:
    """Name the criteria whose intervals lie below or above that of relevance."""
    _, low, high = interval(half["relevance"])
    below = [c for c in half if c != "relevance" and interval(half[c])[2] < low]
    above = [c for c in half if c != "relevance" and interval(half[c])[1] > high]
    parts = [f"above {', '.join(below)}"] * bool(below) + [f"below {', '.join(above)}"] * bool(
        above
    )
    return "; ".join(parts) or "none: a null"


def curve_table(one: Mapping[str, Any]) -> str:
    """Show accuracy over sparsity."""
    sparsities = list(next(iter(one["curves"].values())))
    lines = [
        f"## {one['task']}: accuracy in % over sparsity",
        "",
        f"{one['channels']} channels can be removed. Whole stay: "
        + "; ".join(f"{layer}, since {reason}" for layer, reason in one["whole"].items())
        + ".",
        "",
        f"| criterion | {' | '.join(sparsities)} |",
        f"|---|{'--:|' * len(sparsities)}",
    ]
    for criterion, curve in one["curves"].items():
        lines.append(f"| {criterion} | {' | '.join(shown(v) for v in curve.values())} |")
    return "\n".join(lines)


def per_class_table(known: Mapping[str, Mapping[str, Any]]) -> str:
    """Show accuracy over the number of pictures that a criterion sees."""
    lines = [
        "## Pictures of each class that criteria see: accuracy in % at sparsity 0.5",
        "",
        "| network | criterion | 1 | 5 | 10 |",
        "|---|---|--:|--:|--:|",
    ]
    for name, one in known.items():
        for criterion, counts in one["per_class"].items():
            lines.append(f"| {name} | {criterion} | {' | '.join(map(shown, counts.values()))} |")
    return "\n".join(lines)


def tuned_table(known: Mapping[str, Mapping[str, Any]]) -> str:
    """Show accuracy after training what is left."""
    criteria = list(next(iter(known.values()))["tuned"])
    lines = [
        "## After training: accuracy in % at sparsity 0.5",
        "",
        "Two epochs of AdamW on 1,000 training pictures, learning rate up to 0.001, seeds 0 to 2.",
        "",
        f"| network | {' | '.join(criteria)} |",
        f"|---|{'--:|' * len(criteria)}",
    ]
    for name, one in known.items():
        lines.append(f"| {name} | {' | '.join(shown(one['tuned'][c]) for c in criteria)} |")
    return "\n".join(lines)


def size_table(known: Mapping[str, Mapping[str, Any]]) -> str:
    """Show what is left, and how fast it is."""
    lines = [
        "## What relevance leaves",
        "",
        "Time: the smaller network's forward pass of 64 pictures by that of the whole one, on one",
        "thread, both in turn; the median of 15 rounds.",
        "",
        "| network | sparsity | parameters | multiplications of a picture | time |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, one in known.items():
        for sparsity, row in one["sizes"].items():
            time = f"{row['time']:.2f}" if "time" in row else "1"
            macs = f"{row['macs']:,}"
            lines.append(f"| {name} | {sparsity} | {row['parameters']:,} | {macs} | {time} |")
    return "\n".join(lines)


def variant_table(known: Mapping[str, Mapping[str, Any]]) -> str:
    """Show the forms that each criterion was chosen from."""
    names = list(next(iter(next(iter(known.values()))["variants"].values())))
    lines = [
        "## Forms of each criterion: accuracy in % on 500 training pictures at sparsity 0.5",
        "",
        'Scores of a layer are divided by nothing ("none"), their sum, norm or largest, and ranked',
        'over the network ("global") or in each layer. The one that was used is in bold.',
        "",
        f"| network | criterion | {' | '.join(names)} |",
        f"|---|---|{'--:|' * len(names)}",
    ]
    for network, one in known.items():
        for criterion, scores in one["variants"].items():
            cells = [
                f"**{100 * s:.1f}**" if n == one["chosen"][criterion] else f"{100 * s:.1f}"
                for n, s in scores.items()
            ]
            lines.append(f"| {network} | {criterion} | {' | '.join(cells)} |")
    return "\n".join(lines)


def advice_table(advice: Mapping[str, Any]) -> str:
    """Show what narrower layers cost."""
    lines = [
        "## Layers as wide as their relevance says",
        "",
        "`relprop.use.utilisation` of the CNN after two epochs on 3,000 pictures of Fashion-MNIST:",
        "",
        *(f"- {sentence}" for sentence in advice["sentences"]),
        "",
        "Networks of these widths, trained in the same way, seeds 0 to 2; accuracy on 1,000 test",
        'pictures. "All alike": every layer narrower by one factor, with about as many weights.',
        "",
        "| network | widths | weights | accuracy, % |",
        "|---|---|--:|--:|",
    ]
    for name, one in advice["networks"].items():
        widths = ", ".join(map(str, one["widths"]))
        lines.append(f"| {name} | {widths} | {one['weights']:,} | {shown(one['accuracy'])} |")
    return "\n".join(lines)


def draw(known: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw accuracy over sparsity, with intervals."""
    figure = Figure(figsize=(4 * len(known), 3.4), layout="constrained")
    for axes, (name, one) in zip(
        figure.subplots(1, len(known), squeeze=False)[0], known.items(), strict=True
    ):
        for criterion, curve in one["curves"].items():
            x = [0.0, *map(float, curve)]
            ends = [(one["accuracy"],) * 3, *(interval(values) for values in curve.values())]
            mean, low, high = np.array(ends).T
            axes.plot(x, mean, marker=".", label=criterion)
            axes.fill_between(x, low, high, alpha=0.2)
        axes.set(title=name, xlabel="share of channels removed", ylabel="accuracy", ylim=(0, 1))
    axes.legend()
    return figure
