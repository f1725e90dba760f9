"""Explains a long text: its time beside gradient x input, and the most memory of a process."""

import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import torch
from architecture import Inputs
from torch import Tensor, nn
from workloads import language

import relprop

Explain = Callable[[Inputs], Tensor]
LONG = "Llama, 4,096 tokens"


@dataclass(frozen=True)
class LongText:
    """A long text.

    Attributes:
        name: What is explained.
        times: Method -> seconds of a later call.
        memory: Method -> gigabytes that its process has held at most.
        first: Seconds of the first call of relprop.
    """

    name: str
    times: Mapping[str, float]
    memory: Mapping[str, float]
    first: float

    @property
    def time_ratio(self) -> float:
        """Divide relprop's time by that of gradient x input."""
        return self.times["relprop"] / self.times["gradient"]

    @property
    def memory_ratio(self) -> float:
        """Divide relprop's memory by that of gradient x input."""
        return self.memory["relprop"] / self.memory["gradient"]


def timed(function: Callable[[], Any]) -> float:
    """Return the seconds that a call takes."""
    start = perf_counter()
    function()
    return perf_counter() - start


def by_token_gradient(model: nn.Module) -> Explain:
    """Prepare gradient x input of a language model, at the embedded tokens."""
    embed = model.get_input_embeddings()  # type: ignore[operator]

    def explain(x: Inputs) -> Tensor:
        assert isinstance(x, Mapping)
        leaf = embed(x["input_ids"]).detach().requires_grad_()
        logits = model(inputs_embeds=leaf, attention_mask=x["attention_mask"]).logits
        (gradient,) = torch.autograd.grad(logits.amax(1).sum(), leaf)
        return (gradient * leaf.detach()).sum(-1)

    return explain


def measure_long(part: str) -> float | dict[str, float]:
    """Measure a long text: the times of both methods in turn, or one method's peak of memory.

    Args:
        part: "times", in seconds; or the method that runs alone, for the gigabytes that its
            process has held at most, and the seconds of its first call.
    """
    made, x = language("LlamaForSequenceClassification", 1, 4096)()
    model = made.eval().requires_grad_(False)
    explainer = relprop.Explainer(model, "attnlrp")
    methods: dict[str, Explain] = {
        "gradient": by_token_gradient(model),
        "relprop": lambda x: explainer(x).relevance,
    }
    if part != "times":
        first = timed(partial(methods[part], x))
        for _ in range(2):
            methods[part](x)
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"peak": kilobytes / 1e6, "first": first}
    rounds = [{name: timed(partial(one, x)) for name, one in methods.items()} for _ in range(6)]
    return {name: median(one[name] for one in rounds[1:]) for name in methods}
