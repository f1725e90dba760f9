"""What two comparisons say about rules, fills and networks, as a page of tables.

Takes Comparisons and the cards of the models. Gives Markdown.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from scipy.stats import rankdata

from relprop.compare import Case, Comparison, MethodResult
from relprop.compare.results import DataSet
from relprop.data.families import TITLES
from relprop.evaluate.statistics.classification import ClassificationSummary
from relprop.models import ModelCard

LEVEL = 0.05
PIXELS, TIED = 784, 0.99  # so many tied pixels are no order

DEFINITION = """\
## What is measured

For each test image, whatever its label:

1. The network reads the image; *c* is the class that it predicts. A method gives each of the 784
   pixels its relevance for *c*.
2. Pixels are removed in 20 equal steps, from none to all: most relevant first (MoRF), least
   relevant first (LeRF), and in random order. Pixels of equal relevance go in random order. A
   removed pixel gets the value of the **fill**; network and *c* stay as they are.
3. After each step the probability of *c* (softmax) is read. The **area** of an order is that
   under this curve, over the share removed, by trapezoids: between 0 and 1.
4. **SRG = area(LeRF) - area(MoRF)**, the symmetric relevance gain (Blücher et al. 2024): 0 in
   the mean for an order that knows nothing, whatever the fill does to the image by itself, and
   larger where the method tells better what the network uses.

Tables give the mean over images and in brackets its 95 % interval (bootstrap over images, 1,999
resamples). **Bold** is the largest SRG of a column, and every one that a paired sign-flip test on
the same images cannot tell from it (p >= 0.05, not corrected for the number of tests). The
interval is of the images: a network that is trained again is another network.

SRG is a property of a method *on a network under a fill*. It says nothing about how a map looks,
and a high one is not proof that the map is right: what is removed leaves images that the network
was not trained on, more so with some fills than with others, which is why there are several."""

METHODS = """\
Methods are named as `relprop compare` takes them, with parameters that were fixed before anything
was measured. **No order**: the method gives all pixels of an image the same relevance, as the
flat rule does in the first layer of a dense network. On a dense network epsilon-gamma-box, whose
gamma and box are for convolutions, is epsilon with 1e-6; that is `zero` but for rounding, and
`zero` is gradient x input where all activations are ReLU. `smoothgrad` is the mean gradient
itself, with its sign and not multiplied by the image."""

FILLS = """\
| fill | a removed pixel becomes |
|---|---|
| zero | 0, the background of both data sets |
| mean | the mean of all pixels of the images that are used: one grey |
| blur | the image seen through a Gaussian of deviation 2.8 pixels |
| neighbours | what its neighbours say, with noise (Rong et al. 2022, ROAD) |
| marginal | what is there in one of these images, which is drawn for each |"""


def page(every: Comparison, some: Comparison, cards: Mapping[str, ModelCard], figures: str) -> str:
    """The whole page. `figures` is how the names of the figures begin."""
    parts = [
        "# What the network uses: rules and presets by feature removal",
        _opening(every),
        *_best(some),
        DEFINITION,
        "## Networks",
        _networks(every, cards),
        METHODS,
        f"## Fill zero, {_used(every.data)}",
        _gains(every.cases),
        *(f"![Mean curves on {TITLES[one.name]}]({figures}-{one.name}.png)" for one in every.data),
        f"## By fill, {_used(some.data)}",
        FILLS,
        *_by_fill(some),
        "## Strongest correct and strongest incorrect classification",
        READINGS,
        *_readings(every),
    ]
    return "\n\n".join(parts) + "\n"


def _opening(every: Comparison) -> str:
    versions = ", ".join(f"{k} {v}" for k, v in every.settings["versions"].items())
    return (
        "`make faithfulness` writes this page: "
        f"{versions}, seed {every.settings['seed']}; the same seed gives the same numbers on the "
        "same machine. We know of no published table of SRG on MNIST, so that its definition is "
        "given in full."
    )


# ---- what is best --------------------------------------------------------------------------------


def _best(some: Comparison) -> Iterator[str]:
    """The answer in a few lines: where each method is best, and its mean rank."""
    yield "## What is best"
    yield _table(
        ["network", *(f"fill {fill}" for fill in _fills(some))],
        (
            [_name(model), *(_winner(case) for case in some.cases if case.model == model)]
            for model in _models(some)
        ),
    )
    count = len(some.cases)
    yield (
        f"The method with the largest SRG, {_used(some.data)}, and in brackets how many others the "
        f"test cannot tell from it. Over these {count} cases:"
    )
    winners = {case.best.method for case in some.cases}
    ranks = _ranks(some.cases)
    rows = sorted(ranks, key=lambda method: sum(ranks[method]) / len(ranks[method]))
    yield _table(
        ["method", "mean rank", "best, or not to be told from it"],
        (
            [
                f"`{method}`",
                f"{sum(ranks[method]) / len(ranks[method]):.1f}",
                f"{sum(_is_top(_of(case, method)) for case in some.cases)} of {len(ranks[method])}",
            ]
            for method in rows
        ),
    )
    yield (
        f"{len(winners)} methods have the largest SRG somewhere: which is best depends on the "
        f"network and on the fill. The best mean rank is that of `{rows[0]}`. Methods whose SRG is "
        "the same to 1e-4, such as those that are one method on a network, share their rank; cases "
        "in which a method gives no order do not count for it."
    )


def _winner(case: Case) -> str:
    others = sum(_is_top(one) for one in case.methods) - 1
    return f"{_short(case.best.method)}" + (f" (+{others})" if others else "")


def _is_top(one: MethodResult) -> bool:
    """Whether it is the best, or cannot be told from it."""
    return one.against_best is None or one.against_best.p_value >= LEVEL


def _ranks(cases: Iterable[Case]) -> dict[str, list[float]]:
    """The rank by SRG in each case, from 1, by method; those without an order are left out."""
    ranks: dict[str, list[float]] = {}
    for case in cases:
        methods = [one for one in case.methods if not _is_without_order(one)]
        gains = [round(one.faithfulness.srg.mean, 4) for one in methods]
        for one, rank in zip(methods, rankdata([-gain for gain in gains]), strict=True):
            ranks.setdefault(one.method, []).append(float(rank))
    return ranks


def _is_without_order(one: MethodResult) -> bool:
    return one.tied > TIED * PIXELS


# ---- tables --------------------------------------------------------------------------------------


def _networks(every: Comparison, cards: Mapping[str, ModelCard]) -> str:
    rows = (
        [
            f"`{_name(case.model)}`",
            f"{1 - case.untouched.error_rate.value:.2%}",
            f"`{cards[case.model].command}`",
            f"`{cards[case.model].sha256[:12]}`",
        ]
        for case in every.cases
    )
    return _table(["network", "read correctly", "trained by", "SHA256 begins"], rows)


def _gains(cases: Sequence[Case]) -> str:
    """SRG: a line for each method, a column for each network."""
    methods = [one.method for one in cases[0].methods]
    rows = (
        [f"`{_short(method)}`", *(_gain(_of(case, method)) for case in cases)] for method in methods
    )
    areas = ["*area, random order*"]
    areas += [f"*{case.methods[0].faithfulness.random.mean:.3f}*" for case in cases]
    return _table(["SRG", *(_name(case.model) for case in cases)], [*rows, areas])


def _gain(one: MethodResult) -> str:
    if _is_without_order(one):
        return "no order"
    found = one.faithfulness.srg
    mean = f"{found.mean:.3f}"
    ends = f" [{found.interval.low:.3f}, {found.interval.high:.3f}]" if found.interval else ""
    return (f"**{mean}**" if _is_top(one) else mean) + ends


def _by_fill(some: Comparison) -> Iterator[str]:
    for fill in _fills(some):
        yield f"### Fill {fill}"
        yield _gains([case for case in some.cases if case.fill == fill])


READINGS = """\
After a share q of the pixels of a digit is removed (fill zero), images are read again. *Margin*
is (largest - second largest) / largest probability. **Strongest correct** is the largest margin
among the images still read correctly, **strongest incorrect** that among those misread; a maximum
over so many images is close to 1 for every method, so that the share misread says more. Random
order, for comparison, in the last line of each table."""


def _readings(every: Comparison) -> Iterator[str]:
    """The share misread at each q, and the margins, for the digits."""
    for case in (one for one in every.cases if one.data == "mnist"):
        yield f"### {_name(case.model)}"
        yield _table(
            ["misread, most / least relevant removed", *(f"q = {q:.0%}" for q in every.q)],
            [
                *(
                    [f"`{_short(one.method)}`", *map(_both, one.morf.cells, one.lerf.cells)]
                    for one in case.methods
                ),
                ["random", *(f"{cell.error_rate.value:.1%}" for cell in case.random.cells)],
            ],
        )
        yield _table(
            ["strongest correct / incorrect", *(f"q = {q:.0%}" for q in every.q)],
            [
                *(
                    [f"`{_short(one.method)}`", *map(_strongest, one.morf.cells)]
                    for one in case.methods
                ),
                ["random", *map(_strongest, case.random.cells)],
            ],
        )


def _both(most: ClassificationSummary, least: ClassificationSummary) -> str:
    return f"{most.error_rate.value:.1%} / {least.error_rate.value:.1%}"


def _strongest(cell: ClassificationSummary) -> str:
    ends = (cell.correct.largest, cell.wrong.largest)
    return " / ".join("-" if one is None else f"{one:.4f}" for one in ends)


# ---- words ---------------------------------------------------------------------------------------


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---", *(["--:"] * (len(heads) - 1))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _of(case: Case, method: str) -> MethodResult:
    return next(one for one in case.methods if one.method == method)


def _fills(comparison: Comparison) -> list[str]:
    return list(dict.fromkeys(case.fill for case in comparison.cases))


def _models(comparison: Comparison) -> list[str]:
    return list(dict.fromkeys(case.model for case in comparison.cases))


def _name(model: str) -> str:
    return Path(model).name.removesuffix(".safetensors")


def _short(method: str) -> str:
    """The name without parameters; those are on the page once, with the ranks."""
    return method.partition(":")[0]


def _used(data: Sequence[DataSet]) -> str:
    """How many images."""
    (used,) = {one.used for one in data}
    everything = all(one.used == one.available for one in data)
    return f"all {used:,} test images" if everything else f"the first {used:,} test images"
