"""Makes the methods of a workload, and times them in turn, round after round.

Knows nothing of memory, nor of what the times are compared with.
"""

import copy
import gc
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter

from architecture import Inputs
from methods import COMPILED, FLOOR, Method, methods
from torch import Tensor, nn
from tqdm import tqdm
from workloads import Workload

FEWEST = 3  # rounds, however long they take
TRIED = 1000  # samples, to find the best size of a batch
HARDLY_MORE = 1.05


@dataclass(frozen=True)
class Settings:
    """Of a run. rounds and seconds for each workload, whichever is less; 0 threads: torch's choice.

    quick    neither memory nor compiled methods      compiled  also where it takes minutes
    """

    rounds: int
    seconds: float
    threads: int
    quick: bool
    compiled: bool


@dataclass(frozen=True)
class Ready:
    """A method that was called before. size: samples at a time; first: seconds to make it."""

    call: Method
    size: int | None
    first: float


# ---- making --------------------------------------------------------------------------------------


def made(workload: Workload, settings: Settings) -> tuple[dict[str, Ready], dict[str, str]]:
    """The methods that run, after they were called, and why the others do not."""
    model, x = workload.build()
    ready: dict[str, Ready] = {}
    problems: dict[str, str] = {}
    for name in methods(workload):
        if name.endswith(COMPILED) and settings.quick:
            continue
        if name.endswith(COMPILED) and workload.slow and not settings.compiled:
            problems[name] = "takes minutes to compile: --compiled"
            continue
        try:
            ready[name] = prepared(workload, name, model, x)
        except ModuleNotFoundError as error:
            problems[name] = f"not installed: {error.name}"
        except Exception as error:
            problems[name] = in_a_line(error)
    return ready, problems


def prepared(workload: Workload, name: str, model: nn.Module, x: Inputs) -> Ready:
    """The method on a copy of the model, called twice or, in parts, at every size of a part."""
    if name != FLOOR:
        model = copy.deepcopy(model)
    size = best_size(workload, name, model, x) if workload.sizes else None
    start = perf_counter()
    method = methods(workload, size)[name](model, x)
    first = perf_counter() - start
    for _ in range(0 if workload.sizes else 2):
        method()
    return Ready(method, size, first)


def best_size(workload: Workload, name: str, model: nn.Module, x: Inputs) -> int:
    """Of the batches that the workload allows, the one that is explained in least time.

    A smaller one that takes hardly more needs less memory.
    """
    taken = {}
    for size in workload.sizes:
        method = methods(workload, size)[name](model, x[:TRIED])
        taken[size] = min(seconds(method)[0] for _ in range(2))
    return min(size for size in taken if taken[size] <= HARDLY_MORE * min(taken.values()))


def in_a_line(error: Exception) -> str:
    """Its type, and as much of its message as there is room for."""
    message = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {message}"[:90]


# ---- measuring -----------------------------------------------------------------------------------


def seconds(call: Method) -> tuple[float, Tensor | None]:
    """How long it takes, and what it gives."""
    gc.collect()
    start = perf_counter()
    found = call()
    return perf_counter() - start, found


def rounds(
    ready: Mapping[str, Ready], settings: Settings
) -> tuple[dict[str, list[float]], dict[str, Tensor | None]]:
    """Seconds of every call, a round for each place in the lists; and the last maps."""
    taken: dict[str, list[float]] = {name: [] for name in ready}
    maps: dict[str, Tensor | None] = {}
    start = perf_counter()
    for count in tqdm(range(settings.rounds), leave=False, disable=None):
        if count >= FEWEST and perf_counter() - start > settings.seconds:
            break
        for name, method in ready.items():
            time, maps[name] = seconds(method.call)
            taken[name].append(time)
    return taken, maps
