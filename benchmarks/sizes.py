"""Measures inputs of many sizes, explained as they come, and the first call of a model.

    python benchmarks/sizes.py [--only "BERT*"] [--before before.json] [--out FILE] [--json FILE]

A model of an NLP user meets a text of a new length at almost every call. Each stream is explained
in a process of its own, call by call beside gradient x input and a peer; the parts of a first call
and a long text likewise. `--before` adds what `--json` wrote at another commit.
"""

import copy
import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import click
import torch
from architecture import Inputs, declare_torchvision_operators, run
from long_text import LONG, Explain, LongText, by_token_gradient, measure_long, timed
from lxt_rules import changes_applied, find_changes, rebuild, rules
from methods import by_zennit
from sizes_page import FirstCall, StreamRow, page
from torch import Tensor, nn
from workloads import WORDS, WORKLOADS, language, pictures

import relprop

FILE = Path(__file__)


# ---- methods -------------------------------------------------------------------------------------


def by_gradient(model: nn.Module) -> Explain:
    """Prepare gradient x input of pictures."""
    return lambda x: gradient_of(model, x)


def gradient_of(model: nn.Module, x: Inputs) -> Tensor:
    """Compute gradient x input of a floating point input."""
    assert isinstance(x, Tensor)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf).amax(1).sum(), leaf)
    return gradient * leaf.detach()


def by_lxt(model: nn.Module, name: str) -> Explain:
    """Prepare LXT: the same of the model that it rewrote."""
    before, after = find_changes(rules(type(model).__name__, name))
    with changes_applied(before, after):
        explain = by_token_gradient(rebuild(model).requires_grad_(False))

    def call(x: Inputs) -> Tensor:
        with changes_applied(before, after):
            return explain(x)

    return call


def zennit(model: nn.Module, name: str) -> Explain:
    """Prepare Zennit's composite of the same name, on a copy: it merges norms in place."""
    copied = copy.deepcopy(model)
    return lambda x: by_zennit(copied, x, name)()


# ---- streams -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stream:
    """A model, and inputs of many sizes for it, in a random order.

    Attributes:
        name: Name in the table.
        make: Builds the model and one batch.
        recipe: The recipe.
        sizes: The size of each call.
        draw: Draws the inputs of a size.
        peer: Makes another library's method of the model.
        peer_name: Its name.
        explain: Makes gradient x input of the model.
    """

    name: str
    make: Callable[[], tuple[nn.Module, Inputs]]
    recipe: str
    sizes: tuple[int, ...]
    draw: Callable[[int], Inputs]
    peer: Callable[[nn.Module], Explain]
    peer_name: str
    explain: Callable[[nn.Module], Explain] = by_gradient


def texts(length: int) -> Inputs:
    """Draw two texts of one length."""
    ids = torch.randint(3, WORDS, (2, length))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def squares(size: int) -> Inputs:
    """Draw two pictures of one size."""
    return torch.randn(2, 3, size, size)


def shuffled(sizes: Sequence[int], calls: int) -> tuple[int, ...]:
    """List sizes for so many calls, each about as often, in a random order."""
    order = [sizes[i % len(sizes)] for i in range(calls)]
    Random(0).shuffle(order)
    return tuple(order)


LENGTHS, WIDTHS = shuffled(range(5, 65), 200), shuffled(range(96, 256, 8), 40)
STREAMS = [
    *(
        Stream(
            f"{kind.removesuffix('ForSequenceClassification')}, 200 texts of 60 lengths",
            language(kind, 2, 12),
            "attnlrp",
            LENGTHS,
            texts,
            partial(by_lxt, name="attnlrp"),
            "LXT",
            by_token_gradient,
        )
        for kind in ("BertForSequenceClassification", "LlamaForSequenceClassification")
    ),
    Stream(
        "ResNet50, 40 pictures of 20 sizes",
        pictures("resnet50", 2),
        "epsilon-plus-flat",
        WIDTHS,
        squares,
        partial(zennit, name="epsilon-plus-flat"),
        "Zennit",
    ),
]
FIRST = {one.name: one for one in WORKLOADS if one.devices == ("cpu", "cuda")}
FIRST_CALLS = [
    *("ViT-B/16, batch 2", "DenseNet121, batch 4", "ConvNeXt-T, batch 4"),
    *("mobilenet_v3_large, batch 2", "BERT, 4 layers", "Llama, 4 layers", "LSTM"),
]


def built(name: str) -> tuple[nn.Module, Inputs]:
    """Build the model of a first call."""
    if name.startswith("mobilenet"):
        model, x = pictures("mobilenet_v3_large", 2)()
        return model.eval().requires_grad_(False), x
    return FIRST[name].build("cpu")


# ---- measuring, in a process of its own ----------------------------------------------------------


def measure_stream(stream: Stream) -> StreamRow:
    """Explain a stream, each call beside the same by gradient x input and by the peer."""
    torch.manual_seed(0)
    made, _ = stream.make()
    model = made.eval().requires_grad_(False)
    explainer = relprop.Explainer(model, stream.recipe)
    methods: dict[str, Explain] = {
        "gradient": stream.explain(model),
        "relprop": lambda x: explainer(x).relevance,
        "peer": stream.peer(model),
    }
    warm = stream.draw(max(stream.sizes) + 1)
    methods["gradient"](warm), methods["peer"](warm)
    times: dict[str, list[float]] = {name: [] for name in methods}
    random, new, met = Random(0), list[bool](), set[int]()
    for size in stream.sizes:
        x = stream.draw(size)
        for name in random.sample(list(methods), len(methods)):
            times[name].append(timed(partial(methods[name], x)))
        new.append(size not in met)
        met.add(size)
    return StreamRow(stream.name, stream.peer_name, times, new)


def measure_first(name: str, part: str) -> float:
    """Measure one part of a first call: "export", "forward" or "relprop"."""
    model, x = built(name)
    torch.export.export(nn.Linear(1, 1), (torch.ones(1, 1),))  # imports what it needs
    if part == "relprop":
        relprop.explain(nn.Linear(2, 2).eval(), torch.ones(1, 2))
        return timed(lambda: relprop.Explainer(model)(x))
    if part == "forward":
        with torch.no_grad():
            return median(timed(lambda: run(model, x)) for _ in range(7))
    keywords = x if isinstance(x, Mapping) else {}
    arguments = () if keywords else (x,)
    return timed(lambda: torch.export.export(model, arguments, dict(keywords), strict=False))


def in_process(*options: str) -> Any:
    """Run this file with options, which make it print one line of JSON."""
    done = subprocess.run([sys.executable, str(FILE), *options], capture_output=True, check=False)
    if done.returncode:
        raise click.ClickException(done.stderr.decode()[-2000:])
    return json.loads(done.stdout.decode().splitlines()[-1])


def measure_one(kind: str, name: str) -> Any:
    """Measure one thing, in this process."""
    if name == LONG:
        return measure_long(kind)
    stream = next((s for s in STREAMS if s.name == name), None)
    return asdict(measure_stream(stream)) if stream else measure_first(name, kind)


@click.command(help="Measure inputs of many sizes, and first calls.")
@click.option("--only", default="*", help="Glob on the names of streams and models.")
@click.option("--threads", default=1, help="Threads of torch.")
@click.option("--repeat", default=3, help="Processes for each part of a first call.")
@click.option("--before", type=click.Path(exists=True), help="What --json wrote before a change.")
@click.option("--out", type=click.Path(), help="File for the page.")
@click.option("--json", "record", type=click.Path(), help="File for the numbers.")
@click.option("--one", nargs=2, hidden=True, help="Measure one thing, in this process.")
def main(
    only: str,
    threads: int,
    repeat: int,
    before: str | None,
    out: str | None,
    record: str | None,
    one: tuple[str, str] | None,
) -> None:
    """Measure all streams and first calls, and write the page."""
    torch.set_num_threads(threads)
    declare_torchvision_operators()
    warnings.simplefilter("ignore")
    if one is not None:
        kind, name = one
        click.echo(json.dumps(measure_one(kind, name)))
        return
    options = ("--threads", str(threads))
    streams = [
        StreamRow(**in_process(*options, "--one", "stream", stream.name))
        for stream in STREAMS
        if fnmatch(stream.name, only)
    ]
    calls = []
    for name in (name for name in FIRST_CALLS if fnmatch(name, only)):
        parts = {
            part: median(in_process(*options, "--one", part, name) for _ in range(repeat))
            for part in ("export", "forward", "relprop")
        }
        calls.append(FirstCall(name, **parts))
    long = None
    if fnmatch(LONG, only):
        times, *peaks = (
            in_process(*options, "--one", part, LONG) for part in ("times", "gradient", "relprop")
        )
        memory = {name: one["peak"] for name, one in zip(times, peaks, strict=True)}
        long = LongText(LONG, times, memory, peaks[-1]["first"])
    earlier = json.loads(Path(before).read_text()) if before else None
    text = page(streams, calls, long, earlier, threads)
    click.echo(text)
    if out:
        Path(out).write_text(text)
    if record:
        Path(record).write_text(
            json.dumps(
                {
                    "streams": list(map(asdict, streams)),
                    "first": list(map(asdict, calls)),
                    "long": asdict(long) if long else None,
                }
            )
        )


if __name__ == "__main__":
    main()
