"""Writes docs/pruning.md and docs/pruning.png from the numbers of pruning.py."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from pruning_intervals import shown
from versions import installed

COMPARED = ("relevance", "Taylor", "weight norm")

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

`--heads 0.5` (`heads=0.5`) removes half of the attention heads, too, ranked among themselves by the
relevance of what they give to the layer that joins them: of `nn.MultiheadAttention`, and of modules
as timm has them. The record says which heads went.

Layers that residual connections add, and a depthwise convolution with what it reads, lose the same
channels, ranked by the sum of what they carry. Whole stay the output, convolutions in groups, tied
weights, layers that run twice, and the width that attention divides by heads. A sparsity that would
empty a layer, and samples of one class, are errors.

To act on what `utilisation` says, build the network again with `utilisation(...).widths`, and train
it; the last table has what this did once. For a network of `relprop fit`, give narrower widths in
its TOML file, as `width = [24]` in a table `[space.cnn]`: there one width stands for all layers.

## How this was measured

Written by `benchmarks/pruning.py`. Channels and neurons are ranked by a criterion and removed, and
the smaller network classifies 2,000 test pictures, without training unless a table says so.
`mnist-cnn` is the shipped network; `fashion-cnn` has its layers and learned Fashion-MNIST for three
epochs; `cifar-resnet` has three residual blocks, and learned 8,000 pictures of CIFAR-10 for 25
epochs; both with seed 0. Sparsity is the share of the channels that is removed; channels that
residual connections add count once.

- Relevance: mean over samples of the sum over classes of |R - mean R over classes|, where R is what
  a channel carries of the score of a class, by the preset `epsilon` (after Yeom et al. 2021, who
  take the true class alone). Taylor: |mean over space of activation times gradient of the loss|
  (Molchanov et al. 2017). Gradient: mean |gradient| of an activation. Weight norm: Euclidean norm
  of a channel's weights (Li et al. 2017). Random: random numbers.
- All criteria alike remove in steps of a tenth of the channels, and rank what is left again after
  each (the last step, to 0.7, is two tenths). After each, outputs of layers and of BatchNorm are
  scaled and shifted to the mean and spread that they had in the whole network, over the pictures
  that the criterion saw: no labels, no training. "At once, as it is" is without both.
- Pictures that criteria see are drawn from the training part, ten of each class unless a table
  says otherwise, with the seeds 0 to 4; 0 and 1 for gradient, random, other numbers of pictures and
  after training. Intervals are 95 %, by the bootstrap over draws and test pictures together; gains
  are paired. They tell of these draws, few as they are, and of these pictures, not of trainings:
  each network was trained once.
- What scores of a layer are divided by, and whether channels are ranked over the network or in each
  layer, was chosen of five forms for Taylor, gradient and weight norm, for each network and each
  setting, as what was best on 400 training pictures at sparsity 0.5 (seed 0).
- Relevance has one form everywhere, the default of the library. It was chosen on 600 training
  pictures of each of the three networks, two draws, never on test pictures, of: relevance of the
  true class, of it against each other class, of all classes, of all less their mean; signed sums
  over space, their squares, and |R|; shares of a layer in each sample, or units of the score;
  layers divided by nothing or their norm; one ranking or one for each layer; the presets auto,
  epsilon and gamma; spread over samples instead of size; one or five steps. Squares were better on
  cifar-resnet and worse on fashion-cnn; a form of Taylor with shares of each sample, which is
  not the published one, was tried beside them: it equalled relevance on the two small networks
  without rescaling, and stayed behind with it. Shifting means alone made fashion-cnn much worse.

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
    parts += [per_class_table(known), tuned_table(known), size_table(known), form_table(known)]
    parts += [advice_table(advice)] if advice else []
    versions = ", ".join(f"{n} {v}" for n, v in installed(("torch", "torch-pruning")).items())
    seconds = sum(one["seconds"] for one in known.values())
    end = f"Written on one of {os.cpu_count()} shared cores in {seconds:.0f} s, with {versions}."
    picture = "![Accuracy over the share of removed channels, by criterion](pruning.png)"
    return HEAD + "\n\n".join([parts[0], picture, *parts[1:], end]) + "\n"


def target_table(known: Mapping[str, Mapping[str, Any]]) -> str:
    """Compare criteria at sparsity 0.5, in each setting."""
    lines = ["## Half of the channels removed, no training", ""]
    for setting in next(iter(known.values()))["settings"]:
        lines += [
            f"Removed {setting}; accuracy and gain in %:",
            "",
            "| network | whole | relevance | Taylor | weight norm | above Taylor | above norm |",
            "|---|--:|--:|--:|--:|--:|--:|",
        ]
        for name, one in known.items():
            cells = [shown(one["settings"][setting][c]) for c in COMPARED]
            cells += [shown(one["gains"][setting][c]) for c in COMPARED[1:]]
            lines.append(f"| {name} | {100 * one['accuracy']:.1f} | {' | '.join(cells)} |")
        lines += ["", verdict(known, setting), ""]
    return "\n".join(lines[:-1])


def verdict(known: Mapping[str, Mapping[str, Any]], setting: str) -> str:
    """Say on how many networks relevance is above Taylor and weight norm."""
    apart = [
        name
        for name, one in known.items()
        if all(
            one["settings"][setting][c][2] < one["settings"][setting]["relevance"][1]
            for c in COMPARED[1:]
        )
    ]
    paired = [
        name for name, one in known.items() if all(g[1] > 0 for g in one["gains"][setting].values())
    ]
    return (
        f"The interval of relevance is above those of both on {_counted(apart, known)}; the paired "
        f"gain over both is above 0 on {_counted(paired, known)}. Two of three were wanted."
    )


def _counted(names: Sequence[str], known: Mapping[str, Any]) -> str:
    listed = f" ({', '.join(names)})" if names else ""
    return f"{len(names)} of {len(known)} networks{listed}"


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
        "Two epochs of AdamW on 1,000 training pictures, learning rate up to 0.001, seeds 0 and 1.",
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


def form_table(known: Mapping[str, Mapping[str, Any]]) -> str:
    """Show the forms that each other criterion was chosen from."""
    first = next(iter(next(iter(known.values()))["forms"].values()))
    names = list(next(iter(first.values())))
    lines = [
        "## Forms of each criterion: accuracy in % on 400 training pictures at sparsity 0.5",
        "",
        'Scores of a layer are divided by nothing ("none"), their sum, norm or largest, and ranked',
        'over the network ("global") or in each layer. The one that was used is in bold.',
        "",
        f"| network | removed | criterion | {' | '.join(names)} |",
        f"|---|---|---|{'--:|' * len(names)}",
    ]
    for network, one in known.items():
        for setting, criteria in one["forms"].items():
            for criterion, scores in criteria.items():
                chosen = one["chosen"][setting][criterion]
                cells = [
                    f"**{100 * v:.1f}**" if n == chosen else f"{100 * v:.1f}"
                    for n, v in scores.items()
                ]
                lines.append(f"| {network} | {setting} | {criterion} | {' | '.join(cells)} |")
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
        "Networks of these widths, trained in the same way, seeds 0 to 2; accuracy on 2,000 test",
        'pictures. "All alike": every layer narrower by one factor, with about as many weights.',
        "",
        "| network | widths | weights | accuracy, % |",
        "|---|---|--:|--:|",
    ]
    for name, one in advice["networks"].items():
        widths = ", ".join(map(str, one["widths"]))
        lines.append(f"| {name} | {widths} | {one['weights']:,} | {_of_seeds(one['accuracy'])} |")
    return "\n".join(lines)


def _of_seeds(values: Sequence[float]) -> str:
    """Write the mean of seeds and the values themselves, in percent: three make no interval."""
    every = ", ".join(f"{100 * one:.1f}" for one in values)
    return f"{100 * sum(values) / len(values):.1f} ({every})"


def draw(known: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw accuracy over sparsity, with intervals."""
    figure = Figure(figsize=(4 * len(known), 3.4), layout="constrained")
    for axes, (name, one) in zip(
        figure.subplots(1, len(known), squeeze=False)[0], known.items(), strict=True
    ):
        for criterion, curve in one["curves"].items():
            x = [0.0, *map(float, curve)]
            ends = [(one["accuracy"],) * 3, *curve.values()]
            mean, low, high = np.array(ends).T
            axes.plot(x, mean, marker=".", label=criterion)
            axes.fill_between(x, low, high, alpha=0.2)
        axes.set(title=name, xlabel="share of channels removed", ylabel="accuracy", ylim=(0, 1))
    axes.legend()
    return figure
