"""Compares explanations at three sizes of one explainer with those of one that saw no other size.

    python benchmarks/three_sizes.py [--only "timm/*"]

Takes the architectures of the zoo. Pictures get another height and width, sequences another length.
Where a model does not take a size, both explainers must refuse it alike. In float64.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from time import process_time

import click
import torch
from architecture import Inputs, run
from plain import WORDS
from torch import Tensor, nn
from zoo import ZOO

import relprop

PICTURES = ((32, 64), (13, 22), (64, 32))  # added to height and width; of large ones, taken away
LARGE = 128
SAME = 1e-9
# Over nine seconds of CPU time each: `make slow` leaves them out.
BY_HAND = tuple(
    f"{library}/{name}"
    for library, names in {
        "torchvision": "alexnet; convnext_tiny; densenet121; efficientnet_b0; efficientnet_v2_s; "
        "googlenet; inception_v3; maxvit; mnasnet0_5; mobilenet_v2; "
        "mobilenet_v3_large; mobilenet_v3_small; regnet_x_400mf; regnet_y_400mf; "
        "resnet50; resnext50_32x4d; shufflenet_v2_x0_5; swin_t; swin_v2_t; vgg11; "
        "vgg16_bn; wide_resnet50_2",
        "timm": "caformer_s18; coat_lite_tiny; coatnet_nano_rw_224; botnet26t_256; "
        "convmixer_768_32; convnextv2_atto; crossvit_tiny_240; cspresnet50; "
        "davit_tiny; dla46_c; dpn48b; ecaresnet26t; edgenext_xx_small; "
        "efficientformer_l1; efficientnet_lite0; efficientvit_b0; fastvit_t8; "
        "focalnet_tiny_srf; ghostnet_050; halonet26t; gcvit_xxtiny; hgnetv2_b0; "
        "hiera_tiny_224; hrnet_w18_small; inception_next_atto; lambda_resnet26t; "
        "levit_128s; maxxvit_rmlp_nano_rw_256; "
        "mobilenetv4_conv_small_035; mobileone_s0; mobilevit_xxs; mobilevitv2_050; "
        "mvitv2_tiny; nfnet_l0; poolformer_s12; pvt_v2_b0; regnety_002; "
        "repvgg_a0; res2net50_14w_8s; resnest14d; resnetv2_50x1_bit; "
        "rexnet_100; seresnet18; sequencer2d_s; skresnet18; "
        "swin_tiny_patch4_window7_224; swinv2_cr_tiny_224; swiftformer_xs; "
        "tiny_vit_5m_224; tnt_s_patch16_224; tresnet_m; twins_svt_small; "
        "volo_d1_224; ese_vovnet19b_slim; xception41; "
        "xcit_nano_12_p16_224",
        "transformers": "MPNetForSequenceClassification; XLNetForSequenceClassification; "
        "LongformerForSequenceClassification; BartForSequenceClassification; "
        "T5ForTokenClassification; MixtralForSequenceClassification; "
        "OlmoeForCausalLM; RwkvForCausalLM; Mamba2ForCausalLM; MambaForCausalLM; "
        "SegformerForImageClassification; SwinForImageClassification",
        "torch": "encoder and decoder; unet",
    }.items()
    for name in names.split("; ")
)


# ---- inputs of other sizes -----------------------------------------------------------------------


def other_sizes(inputs: Inputs) -> Iterator[Inputs]:
    """Yield inputs like these of three other sizes, of which a model may refuse some."""
    tensors = list(inputs.values()) if isinstance(inputs, Mapping) else [*_listed(inputs)]
    first = tensors[0]
    if first.ndim == 4:
        sign = -1 if first.shape[2] > LARGE else 1
        for height, width in PICTURES:
            yield _changed(inputs, {2: sign * height, 3: sign * width})
    else:
        length = first.shape[1]
        for step in (max(5, length // 4), -max(3, length // 8), length):
            yield _changed(inputs, {1: step})


def _listed(inputs: Inputs) -> tuple[Tensor, ...]:
    assert not isinstance(inputs, Mapping)
    return (inputs,) if isinstance(inputs, Tensor) else inputs


def _changed(inputs: Inputs, steps: Mapping[int, int]) -> Inputs:
    """Add to sizes of all tensors of some inputs."""
    if isinstance(inputs, Mapping):
        return {name: _of_size(name, x, steps) for name, x in inputs.items()}
    if isinstance(inputs, tuple):
        return tuple(_of_size("", x, steps) for x in inputs)
    return _of_size("", inputs, steps)


def _of_size(name: str, x: Tensor, steps: Mapping[int, int]) -> Tensor:
    """Draw other numbers of this size; of ids and masks, add to the beginning or cut it."""
    if x.is_floating_point():
        return torch.randn([size + steps.get(dim, 0) for dim, size in enumerate(x.shape)])
    (step,) = steps.values()
    if step < 0:
        return x[:, -step:].clone()
    words = name in ("", "input_ids")  # others are masks and segments, which go on as they begin
    more = torch.randint(3, WORDS, (len(x), step)) if words else x[:, :1].expand(-1, step)
    return torch.cat([more, x], 1)


def in_float64(inputs: Inputs) -> Inputs:
    """Convert what is no token id."""
    if isinstance(inputs, Mapping):
        return {name: _double(x) for name, x in inputs.items()}
    return tuple(map(_double, inputs)) if isinstance(inputs, tuple) else _double(inputs)


def _double(x: Tensor) -> Tensor:
    return x.double() if x.is_floating_point() else x


# ---- outcomes ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What an explainer makes of a batch.

    Attributes:
        error: Type of the error; "" for none.
        relevance: Of each explained input, without a ledger.
        ledger: Relevance in, out and absorbed, by operation.
        sizes: What the plan says of sizes.
    """

    error: str
    relevance: tuple[Tensor, ...] = ()
    ledger: tuple[tuple[str, Tensor], ...] = ()
    sizes: str = ""


def outcome(explainer: relprop.Explainer, inputs: Inputs) -> Outcome:
    """Explain a batch, with a ledger and without."""
    try:
        accounted, plain = explainer(inputs, ledger=True), explainer(inputs)
        said = str(explainer.plan(inputs)).splitlines()
    except relprop.RelpropError as error:
        return Outcome(type(error).__name__)
    entries = tuple(
        (
            f"{entry.module} {entry.operation} {entry.rule}",
            torch.stack([entry.relevance_in, entry.relevance_out, *entry.absorbed.values()]),
        )
        for entry in accounted.ledger.entries
    )
    relevance = (*plain.relevances.values(), *accounted.relevances.values())
    sizes = next((line for line in said if line.startswith("sizes: ")), "")
    return Outcome("", relevance, entries, sizes)


def difference(one: Outcome, other: Outcome) -> float:
    """Return the largest difference of two outcomes, as a share of the largest number beside it.

    Infinite if one is an error, or another one.
    """
    names = [name for name, _ in one.ledger] == [name for name, _ in other.ledger]
    if one.error != other.error or not names:
        return float("inf")
    left, right = ((*each.relevance, *(x for _, x in each.ledger)) for each in (one, other))
    return max(map(_apart, left, right), default=0.0)


def _apart(one: Tensor, other: Tensor) -> float:
    if one.shape != other.shape:
        return float("inf")
    same = (one == other) | (one.isnan() & other.isnan())
    if same.all():
        return 0.0
    apart = (one - other).abs()[~same].max() / other.abs().max()
    return float(apart.nan_to_num(nan=float("inf")))


# ---- the comparison ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """One architecture at its own size and at two others.

    Attributes:
        name: Its name in the zoo.
        differences: At each size, from an explainer of this size alone.
        errors: At each size, what was raised; "" for nothing.
        taken: How many of the other sizes the model takes.
        sizes: What the plan of the last size says of sizes.
        seconds: CPU time of all of it.
    """

    name: str
    differences: tuple[float, ...]
    errors: tuple[str, ...]
    taken: int
    sizes: str
    seconds: float

    @property
    def same(self) -> bool:
        """Whether an explainer that saw all sizes gives what one of each size alone gives."""
        return max(self.differences) <= SAME


def compare(name: str, explain: Callable[..., relprop.Explainer] = relprop.Explainer) -> Comparison:
    """Explain an architecture at three sizes in turn, the first once more at the end.

    Each is compared with an explainer that has seen this size alone.
    """
    start = process_time()
    model, inputs = ZOO[name].build()
    cast = in_float64
    if not takes(model.double(), in_float64(inputs)):  # torch's grouped products know no float64
        model, cast = model.float(), lambda x: x
    taken, refused = [], []
    for other in map(cast, other_sizes(inputs)):
        (taken if takes(model, other) else refused).append(other)
    batches = [cast(inputs), *[*taken, *refused][:2]]
    explainer = explain(model)
    first = outcome(explainer, batches[0])  # it has seen no other size yet
    others = [outcome(explainer, batch) for batch in batches[1:]]
    seen = [outcome(explainer, batches[0]), *others]
    alone = [first, *(outcome(explain(model), batch) for batch in batches[1:])]
    return Comparison(
        name,
        tuple(map(difference, seen, alone)),
        tuple(one.error for one in seen),
        len(taken),
        seen[-1].sizes,
        process_time() - start,
    )


def takes(model: nn.Module, inputs: Inputs) -> bool:
    """Tell whether a model runs on inputs."""
    try:
        with torch.no_grad():
            run(model, inputs)
    except Exception:  # whatever a model raises
        return False
    return True


@click.command(help="Compare explanations at three sizes with those of each size alone.")
@click.option("--only", default="*", help="Glob on the names of architectures.")
def main(only: str) -> None:
    """Print a line for each architecture; end with 1 if one differs."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    names = [name for name in ZOO if fnmatch(name, only)]
    differ = [name for name in names if not _printed(compare(name))]
    click.echo(f"{len(names) - len(differ)} of {len(names)} same; others: {', '.join(differ)}")
    raise SystemExit(bool(differ))


def _printed(found: Comparison) -> bool:
    numbers = " ".join(f"{value:.0e}" for value in found.differences)
    errors = " ".join(error or "-" for error in found.errors)
    state = "same" if found.same else "DIFFERENT"
    click.echo(
        f"{found.name}: {state} ({numbers}), {errors}, takes {found.taken} of 3, "
        f"{found.seconds:.1f} s; {found.sizes}"
    )
    return found.same


if __name__ == "__main__":
    main()
