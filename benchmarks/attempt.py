"""What relprop and its peers make of one architecture of the zoo: a line of JSON for each tool.

    python benchmarks/attempt.py torchvision/resnet18

Every tool explains, on a copy of the model, the class with the highest score. For tools that need
floating point inputs, a model of token ids is explained at the output of its first embedding.
"""

import copy
import json
import statistics
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import torch
from architecture import Inputs, run
from torch import Tensor, nn
from zoo import ZOO

import relprop
from relprop.errors import PlanError

ROUNDS = 5  # of timing, after one that is not counted


@dataclass(frozen=True)
class Outcome:
    """What one tool made of one architecture.

    Attributes:
        tool: Name of the tool.
        reached: The last stage that worked: "", "captured", "planned" or "explained".
        finite: Whether all relevance is finite.
        share: Sum of the relevance divided by the explained score, in the sample where it is
            farthest from 1.
        error: Of relprop's ledger: the largest imbalance of a sample, as a fraction of its score.
        speed: Time in units of gradient x input.
        problem: Why it went no further, in a line.
    """

    tool: str
    reached: str = ""
    finite: bool = False
    share: float | None = None
    error: float | None = None
    speed: float | None = None
    problem: str = ""


# ---- the model as a function of one tensor of floating point numbers -----------------------------


class Embedded(nn.Module):
    """A model with fixed token ids, as a function of the output of its first embedding.

    Attributes:
        turned: Whether that output is (length, batch, features).
    """

    def __init__(self, model: nn.Module, inputs: Inputs, *, turned: bool) -> None:
        super().__init__()
        self.model = model
        self.inputs = inputs
        self.turned = turned
        self.waiting: list[Tensor] = []

    def replace(self, *_: object) -> Tensor | None:
        """Replace the embedding's output, once per run: a forward hook."""
        return self.waiting.pop() if self.waiting else None

    def forward(self, x: Tensor) -> Tensor:
        """Map embedded tokens (batch, length, features) to scores (batch, classes)."""
        self.waiting[:] = [x.transpose(0, 1) if self.turned else x]
        return run(self.model, self.inputs)


class Keyword(nn.Module):
    """A model as a function of its one input, which it takes by name."""

    def __init__(self, model: nn.Module, name: str) -> None:
        super().__init__()
        self.model = model
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        """Map the input, of any shape, to scores (batch, classes)."""
        return run(self.model, {self.name: x})


def differentiable(model: nn.Module, inputs: Inputs) -> tuple[nn.Module, Tensor]:
    """Return a module and a floating point input for it, which give the model's scores."""
    if isinstance(inputs, Tensor) and inputs.is_floating_point():
        return model, inputs
    if isinstance(inputs, Mapping) and len(inputs) == 1:
        name, x = next(iter(inputs.items()))
        if x.is_floating_point():
            return Keyword(model, name), x
    return embedded(model, inputs)


def embedded(model: nn.Module, inputs: Inputs) -> tuple[nn.Module, Tensor]:
    """Do as `differentiable` for a model of token ids."""
    calls: list[tuple[nn.Module, Tensor]] = []
    embeddings = [module for module in model.modules() if isinstance(module, nn.Embedding)]
    handles = [
        module.register_forward_hook(lambda module, _x, y: calls.append((module, y)))
        for module in embeddings
    ]
    with torch.no_grad():
        scores = run(model, inputs)
    for handle in handles:
        handle.remove()
    first, x = calls[0]
    turned = len(x) != len(scores)
    module = Embedded(model, inputs, turned=turned)
    first.register_forward_hook(module.replace)
    return module, (x.transpose(0, 1) if turned else x).clone()


def gradient_times_input(model: nn.Module, inputs: Inputs) -> Callable[[], Tensor]:
    """Prepare gradient x input: a forward pass, and a backward pass to the input alone.

    Recurrent layers run without cuDNN, which has no backward pass for them in eval mode.
    """
    module, x = differentiable(model, inputs)
    module.requires_grad_(False)
    recurrent = any(isinstance(part, nn.RNNBase) for part in module.modules())

    def explain() -> Tensor:
        leaf = x.detach().requires_grad_()
        with torch.backends.cudnn.flags(enabled=False) if recurrent else nullcontext():
            (gradient,) = torch.autograd.grad(module(leaf).amax(1).sum(), leaf)
        return gradient * leaf.detach()

    return explain


# ---- tools ---------------------------------------------------------------------------------------


def by_zennit(model: nn.Module, inputs: Inputs) -> Tensor:
    """Explain with EpsilonPlusFlat; its canonizer merges BatchNorm and knows torchvision's sums."""
    from zennit.attribution import Gradient
    from zennit.composites import EpsilonPlusFlat
    from zennit.torchvision import ResNetCanonizer

    def initial_relevance(z: Tensor) -> Tensor:
        return torch.where(z == z.amax(1, keepdim=True), z, 0.0).detach()

    module, x = differentiable(model, inputs)
    with Gradient(module, EpsilonPlusFlat(canonizers=[ResNetCanonizer()])) as attributor:
        return attributor(x.clone(), initial_relevance)[1].detach()


def by_captum(model: nn.Module, inputs: Inputs) -> Tensor:
    """Explain with Captum's LRP and its default rule for each layer."""
    from captum.attr import LRP

    module, x = differentiable(model, inputs)
    with torch.no_grad():
        classes = module(x).argmax(1)
    return LRP(module).attribute(x.clone(), target=classes).detach()


def by_autolrp(model: nn.Module, inputs: Inputs) -> Tensor:
    """Explain with autoLRP and its default table of rules."""
    import autolrp

    module, x = differentiable(model, inputs)
    leaf = autolrp.tensor(x.clone())
    scores = module(leaf)
    scores[range(len(scores)), scores.argmax(1)].sum().lrp()
    return leaf.relevance.detach().as_subclass(Tensor)


PEERS: Mapping[str, Callable[[nn.Module, Inputs], Tensor]] = {
    "Zennit": by_zennit,
    "Captum": by_captum,
    "autoLRP": by_autolrp,
}


def try_peer(tool: str, model: nn.Module, inputs: Inputs) -> Outcome:
    """Explain with a peer."""
    with torch.no_grad():
        score = run(model, inputs).amax(1)
    try:
        relevance = PEERS[tool](copy.deepcopy(model), inputs)
        return Outcome(tool, "explained", is_finite(relevance), farthest(relevance, score))
    except ModuleNotFoundError:
        return Outcome(tool, problem="not installed")
    except Exception as error:
        return Outcome(tool, problem=in_a_line(error))


def try_relprop(explainer: relprop.Explainer, inputs: Inputs) -> Outcome:
    """Explain with relprop."""
    reached, model = "", explainer.model
    try:
        explainer.plan(inputs)
        reached = "planned"
        explanation = explainer(inputs, ledger=True)
        with torch.no_grad():
            score = run(model, inputs).amax(1)
        relevance = explanation.relevance
        account = (farthest(relevance, score), float(explanation.ledger.error))
        return Outcome("relprop", "explained", is_finite(relevance), *account)
    except Exception as error:
        planless = "captured" if isinstance(error, PlanError) else ""
        return Outcome("relprop", reached or planless, problem=in_a_line(error))


def speed(explainer: relprop.Explainer, inputs: Inputs) -> float:
    """Measure the median ratio of relprop's time to that of gradient x input, in turn."""
    baseline = gradient_times_input(copy.deepcopy(explainer.model), inputs)
    ratios = [seconds(lambda: explainer(inputs)) / seconds(baseline) for _ in range(1 + ROUNDS)]
    return statistics.median(ratios[1:])


def seconds(call: Callable[[], object]) -> float:
    """Time a call."""
    start = perf_counter()
    call()
    return perf_counter() - start


# ---- reading what came out -----------------------------------------------------------------------


def tensors(relevance: Any) -> list[Tensor]:
    """List the relevance of each input: alone, in a sequence or by name."""
    if isinstance(relevance, Tensor):
        return [relevance]
    return list(relevance.values() if isinstance(relevance, Mapping) else relevance)


def is_finite(relevance: Any) -> bool:
    """Tell whether all relevance is finite."""
    return all(bool(part.isfinite().all()) for part in tensors(relevance))


def farthest(relevance: Any, score: Tensor) -> float | None:
    """Return the sum of relevance over the score that is farthest from 1; None if not finite."""
    shares = sum(part.flatten(1).sum(1) for part in tensors(relevance)) / score
    return float(shares[(shares - 1).abs().argmax()]) if shares.isfinite().all() else None


def in_a_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}"[:300] if lines else type(error).__name__


def attempts(name: str) -> Iterator[Outcome]:
    """Yield every tool's outcome as soon as it is known; relprop's again with its speed."""
    model, inputs = ZOO[name].build()
    explainer = relprop.Explainer(model, "auto")
    outcome = try_relprop(explainer, inputs)
    yield outcome
    for tool in PEERS:
        yield try_peer(tool, model, inputs)
    if outcome.reached == "explained":
        yield Outcome(**asdict(outcome) | {"speed": speed(explainer, inputs)})


def main() -> None:
    """Try the architecture that is named on the command line."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for outcome in attempts(sys.argv[1]):
        print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    main()
