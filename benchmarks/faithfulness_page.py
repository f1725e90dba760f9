"""The page on faithfulness: two comparisons of rules, fills and networks as tables.

Takes Comparisons and the cards of the models. Gives Markdown.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from scipy.stats import rankdata

from relprop.compare import Comparison, MethodResult, ModelFillResult
from relprop.compare.results import DataSet
from relprop.data.families import TITLES
from relprop.evaluate.statistics.classification import ClassificationSummary
from relprop.models import ModelCard

LEVEL = 0.05
PIXELS = 784
FEW_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TIED = 0.99  # share of tied pixels above which relevance gives no order

DEFINITION = """\
## What is measured

For each test image, whatever its label:

1. The network classifies the image; *c* is the class that it predicts. A method gives each of the
   784 pixels its relevance for *c*.
2. Pixels are removed in 20 equal steps, from none to all: most relevant first (MoRF), least
   relevant first (LeRF), and in random order. Pixels of equal relevance are removed in random
   order. A removed pixel gets the value of the **fill**; network and *c* stay as they are.
3. After each step the probability of *c* (softmax) is measured. The **area** of an order is that
   under this curve, over the share removed, by the trapezoidal rule: between 0 and 1.
4. **SRG = area(LeRF) - area(MoRF)**, the symmetric relevance gain (Blücher et al. 2024). For a
   random order it is 0 on average, whatever the fill itself does to the image; the better a method
   tells which pixels the network uses, the larger it is.

Tables give the mean over images and in brackets its 95 % interval (bootstrap over images, 1,999
resamples). **Bold** is the largest SRG of a column, and every one that is statistically tied with
it (paired sign-flip test on the same images, p >= 0.05, not corrected for the number of tests). The
interval covers the choice of images, not the training: a network that is trained again is another
network.

SRG is a property of a method *on a network under a fill*. It says nothing about how a map looks,
and a high SRG does not prove that the map is right: removal makes images that the network was not
trained on, more so with some fills than with others, which is why there are several."""

METHODS = """\
Methods are named as for `relprop compare`, with parameters that were fixed before anything was
measured. **No order**: the method gives all pixels of an image the same relevance, as the flat rule
does in the first layer of a dense network. On a dense network epsilon-gamma-box, whose gamma and
box are for convolutions, is epsilon with 1e-6; that is `zero` up to rounding, and `zero` is
gradient x input where all activations are ReLU. `smoothgrad` is the mean gradient itself, with its
sign and not multiplied by the image."""

FILLS = """\
| fill | value of a removed pixel |
|---|---|
| zero | 0, the background of both data sets |
| mean | the mean of all pixels of the images in use: one grey |
| blur | the image blurred by a Gaussian with a standard deviation of 2.8 pixels |
| neighbours | a linear estimate from its neighbours, with noise (Rong et al. 2022, ROAD) |
| marginal | the same pixel of another image in use, drawn at random for each image |"""

ERROR_RATES = """\
After a share q of the pixels of a digit is removed (fill zero), it is classified again. **Error
rate** is the share of all test digits classified wrongly, with the most relevant pixels removed and
with the least relevant ones. *Margin* is (largest - second largest) / largest probability; the
**largest margin** is given of the correct and of the wrong predictions. A maximum over so many
images is close to 1 for every method, so that the error rate says more. The last line of each table
has random order, for comparison."""


def page(rules: Comparison, fills: Comparison, cards: Mapping[str, ModelCard], figures: str) -> str:
    """Write the whole page; `figures` is the beginning of the figures' file names."""
    sections = [
        "# Faithfulness: rules and presets compared by feature removal",
        _opening(rules),
        *_best(fills),
        DEFINITION,
        "## Networks",
        _networks(rules, cards),
        METHODS,
        f"## Fill zero, {_images_used(rules.data)}",
        _srg_table(rules.results),
        *(f"![Mean curves on {TITLES[d.name]}]({figures}-{d.name}.png)" for d in rules.data),
        f"## By fill, {_images_used(fills.data)}",
        FILLS,
        *_by_fill(fills),
        "## Error rates and largest margins",
        ERROR_RATES,
        *_error_rates(rules),
    ]
    return "\n\n".join(sections) + "\n"


def _opening(rules: Comparison) -> str:
    versions = ", ".join(f"{k} {v}" for k, v in rules.settings["versions"].items())
    return (
        "`make faithfulness` writes this page: "
        f"{versions}, seed {rules.settings['seed']}; the same seed gives the same numbers on the "
        "same machine. We know of no published table of SRG on MNIST; its full definition is below."
    )


# ---- which method is best ------------------------------------------------------------------------


def _best(fills: Comparison) -> Iterator[str]:
    """Answer in a few lines: the best method of each network and fill, and mean ranks."""
    yield "## Which method is best"
    yield _table(
        ["network", *(f"fill {fill}" for fill in _fills(fills))],
        (
            [_name(model), *(_winner(r) for r in fills.results if r.model == model)]
            for model in _models(fills)
        ),
    )
    count = len(fills.results)
    yield (
        f"The method with the largest SRG, {_images_used(fills.data)}, and in brackets how many "
        f"others are statistically tied with it. Over these {count} cases:"
    )
    ranks = _ranks(fills.results)
    methods = sorted(ranks, key=lambda method: sum(ranks[method]) / len(ranks[method]))
    yield _table(
        ["method", "mean rank", "statistically tied for best (paired sign-flip test, p >= 0.05)"],
        (
            [
                f"`{method}`",
                f"{sum(ranks[method]) / len(ranks[method]):.1f}",
                f"{_times_tied(fills.results, method)} of {len(ranks[method])}",
            ]
            for method in methods
        ),
    )
    winners = {result.best.method for result in fills.results}
    yield (
        f"{_conclusion(len(winners), len(methods))} `{methods[0]}` has the best mean rank. Methods "
        "whose SRG agrees to 1e-4, such as those that coincide on a network, share their rank; "
        "cases in which a method gives no order do not count for it."
    )


def _conclusion(winners: int, methods: int) -> str:
    won, among = (FEW_NUMBERS[n] if n < len(FEW_NUMBERS) else str(n) for n in (winners, methods))
    if winners == 1:
        return "One method is best in every case."
    where = "are best in some case, depending on network and fill"
    return f"No single method wins everywhere: {won} of {among} {where}."


def _winner(result: ModelFillResult) -> str:
    others = sum(_is_tied_for_best(method) for method in result.methods) - 1
    return _short(result.best.method) + (f" (+{others})" if others else "")


def _is_tied_for_best(method: MethodResult) -> bool:
    return method.against_best is None or method.against_best.p_value >= LEVEL


def _times_tied(results: Iterable[ModelFillResult], method: str) -> int:
    return sum(_is_tied_for_best(_of_method(result, method)) for result in results)


def _ranks(results: Iterable[ModelFillResult]) -> dict[str, list[float]]:
    """List the ranks by SRG of each method, from 1, without the cases where it gives no order."""
    ranks: dict[str, list[float]] = {}
    for result in results:
        methods = [method for method in result.methods if not _is_without_order(method)]
        gains = [round(method.faithfulness.srg.mean, 4) for method in methods]
        for method, rank in zip(methods, rankdata([-gain for gain in gains]), strict=True):
            ranks.setdefault(method.method, []).append(float(rank))
    return ranks


def _is_without_order(method: MethodResult) -> bool:
    return method.tied_pixels > TIED * PIXELS


# ---- tables --------------------------------------------------------------------------------------


def _networks(rules: Comparison, cards: Mapping[str, ModelCard]) -> str:
    rows = (
        [
            f"`{_name(result.model)}`",
            f"{1 - result.untouched.error_rate.value:.2%}",
            f"`{cards[result.model].command}`",
            f"`{cards[result.model].sha256[:12]}`",
        ]
        for result in rules.results
    )
    return _table(["network", "accuracy", "trained by", "SHA256 begins"], rows)


def _srg_table(results: Sequence[ModelFillResult]) -> str:
    """Tabulate SRG: a row for each method, a column for each network."""
    rows = [
        [
            f"`{_short(method.method)}`",
            *(_srg(_of_method(result, method.method)) for result in results),
        ]
        for method in results[0].methods
    ]
    areas = (f"*{result.methods[0].faithfulness.random.mean:.3f}*" for result in results)
    heads = ["SRG", *(_name(result.model) for result in results)]
    return _table(heads, [*rows, ["*area, random order*", *areas]])


def _srg(method: MethodResult) -> str:
    if _is_without_order(method):
        return "no order"
    srg = method.faithfulness.srg
    mean = f"{srg.mean:.3f}"
    ends = f" [{srg.interval.low:.3f}, {srg.interval.high:.3f}]" if srg.interval else ""
    return (f"**{mean}**" if _is_tied_for_best(method) else mean) + ends


def _by_fill(fills: Comparison) -> Iterator[str]:
    for fill in _fills(fills):
        yield f"### Fill {fill}"
        yield _srg_table([result for result in fills.results if result.fill == fill])


def _error_rates(rules: Comparison) -> Iterator[str]:
    """Tabulate error rates and largest margins at each q, for the networks on MNIST."""
    shares = [f"q = {q:.0%}" for q in rules.q]
    for result in (result for result in rules.results if result.data == "mnist"):
        rates, margins = [], []
        for method in result.methods:
            name, morf, lerf = f"`{_short(method.method)}`", method.morf, method.lerf
            rates.append([name, *map(_error_rate_pair, morf.summaries, lerf.summaries)])
            margins.append([name, *map(_largest_margins, morf.summaries)])
        rates.append(["random", *(f"{s.error_rate.value:.1%}" for s in result.random.summaries)])
        margins.append(["random", *map(_largest_margins, result.random.summaries)])
        yield f"### {_name(result.model)}"
        yield _table(["error rate, most / least relevant removed", *shares], rates)
        yield _table(["largest margin, correct / wrong", *shares], margins)


def _error_rate_pair(most: ClassificationSummary, least: ClassificationSummary) -> str:
    return f"{most.error_rate.value:.1%} / {least.error_rate.value:.1%}"


def _largest_margins(summary: ClassificationSummary) -> str:
    margins = (summary.correct.largest, summary.wrong.largest)
    return " / ".join("-" if margin is None else f"{margin:.4f}" for margin in margins)


# ---- text ----------------------------------------------------------------------------------------


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---", *(["--:"] * (len(heads) - 1))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _of_method(result: ModelFillResult, method: str) -> MethodResult:
    return next(other for other in result.methods if other.method == method)


def _fills(comparison: Comparison) -> list[str]:
    return list(dict.fromkeys(result.fill for result in comparison.results))


def _models(comparison: Comparison) -> list[str]:
    return list(dict.fromkeys(result.model for result in comparison.results))


def _name(model: str) -> str:
    return Path(model).name.removesuffix(".safetensors")


def _short(method: str) -> str:
    """Drop the parameters of a method; the page has them once, with the ranks."""
    return method.partition(":")[0]


def _images_used(data: Sequence[DataSet]) -> str:
    (used,) = {each.used for each in data}
    everything = all(each.used == each.available for each in data)
    return f"all {used:,} test images" if everything else f"the first {used:,} test images"
