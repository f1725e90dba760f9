"""Builds the methods of a workload, and times them in turn, round after round.

On a GPU it also measures memory. Must not know what the times are compared with.
"""

import copy
import gc
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from statistics import median
from time import perf_counter

import torch
from architecture import Inputs
from methods import BASELINE, COMPILED, Maker, Method, methods
from torch import Tensor, nn
from tqdm import tqdm
from workloads import Workload

FEWEST = 3  # rounds, however long they take
TRIED = 1000  # samples, to find the best size of a batch
TRIES = 6  # the first, which fills caches, does not count
HARDLY_MORE = 1.05


@dataclass(frozen=True)
class Settings:
    """Settings of a run.

    Attributes:
        rounds: Most rounds for a workload.
        seconds: Most seconds for a workload.
        threads: Threads of torch; 0 for its own choice.
        quick: Skip memory and compiled methods.
        compiled: Compile also where it takes minutes.
        device: "cpu" or "cuda".
    """

    rounds: int
    seconds: float
    threads: int
    quick: bool
    compiled: bool
    device: str = "cpu"


@dataclass(frozen=True)
class PreparedMethod:
    """A method that was called before.

    Attributes:
        call: The method.
        size: Samples at a time; None for all.
        first: Seconds to build it.
        memory: On a GPU, peak bytes over what was allocated before it was built.
        tensors: On a GPU, peak bytes over what was allocated before a call.
    """

    call: Method
    size: int | None
    first: float
    memory: int | None = None
    tensors: int | None = None


# ---- preparing -----------------------------------------------------------------------------------


def prepare_methods(
    workload: Workload, settings: Settings
) -> tuple[dict[str, PreparedMethod], dict[str, str]]:
    """Build and call the methods; return those that run, and why the others do not."""
    model, x = workload.build(settings.device)
    prepared: dict[str, PreparedMethod] = {}
    problems: dict[str, str] = {}
    for name in methods(workload):
        if name.endswith(COMPILED) and settings.quick:
            continue
        if name.endswith(COMPILED) and settings.device in workload.slow and not settings.compiled:
            problems[name] = "takes minutes to compile: --compiled"
            continue
        try:
            prepared[name] = prepare(workload, name, model, x, settings.device)
        except ModuleNotFoundError as error:
            problems[name] = f"not installed: {error.name}"
        except Exception as error:
            problems[name] = in_a_line(error)
    return prepared, problems


def prepare(
    workload: Workload, name: str, model: nn.Module, x: Inputs, device: str
) -> PreparedMethod:
    """Build a method on a copy of the model, and call it twice or, in parts, for every size.

    Compiled methods are called once more, since CUDA graphs are recorded at the second call.
    """
    if name != BASELINE:
        model = copy.deepcopy(model)
    size = best_size(workload, name, model, x, device) if workload.sizes else None
    held, start = memory_held(device, name), perf_counter()
    method = lowered(methods(workload, size)[name], workload.lowered, device)(model, x)
    first = perf_counter() - start
    for _ in range(0 if workload.sizes else 2 + name.endswith(COMPILED)):
        method()
    return PreparedMethod(method, size, first, *memory_risen(method, held, device, name))


def lowered(make: Maker, dtype: torch.dtype | None, device: str) -> Maker:
    """Run a method under autocast, if there is a dtype for it."""
    if dtype is None:
        return make

    def build(model: nn.Module, x: Inputs) -> Method:
        with torch.autocast(device, dtype):
            call = make(model, x)

        def cast() -> Tensor | None:
            with torch.autocast(device, dtype):
                return call()

        return cast

    return build


def best_size(workload: Workload, name: str, model: nn.Module, x: Inputs, device: str) -> int:
    """Return the fastest of the workload's batch sizes.

    A smaller one that takes hardly longer is preferred, since it needs less memory. Sizes are timed
    in turn: one after another, they would meet the machine at different speeds.
    """
    counts = {size: max(TRIED, size) for size in workload.sizes}
    calls = {size: methods(workload, size)[name](model, x[:n]) for size, n in counts.items()}
    times = [
        {size: seconds(calls[size], device)[0] / counts[size] for size in calls}
        for _ in range(TRIES)
    ]
    usual = {size: median(once[size] for once in times[1:]) for size in calls}
    return min(size for size in usual if usual[size] <= HARDLY_MORE * min(usual.values()))


def in_a_line(error: Exception) -> str:
    """Return an error's type, and the start of its message."""
    message = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {message}"[:90]


# ---- measuring -----------------------------------------------------------------------------------


def seconds(call: Method, device: str) -> tuple[float, Tensor | None]:
    """Time a call until the device has finished; return the seconds and the result."""
    gc.collect()
    start = perf_counter()
    result = call()
    if device == "cuda":
        torch.cuda.synchronize()
    return perf_counter() - start, result


def memory_held(device: str, name: str) -> int:
    """Return the allocated bytes of the device; 0 on a CPU.

    For CUDA graphs, the reserved bytes: they compute in memory in which torch counts no tensors.
    """
    if device != "cuda":
        return 0
    gc.collect()
    torch.cuda.empty_cache()
    recorded = name.endswith(COMPILED)
    return torch.cuda.memory_reserved() if recorded else torch.cuda.memory_allocated()


def memory_risen(
    call: Method, before: int, device: str, name: str
) -> tuple[int | None, int | None]:
    """Return the peak bytes of one call: over what was allocated before, and over now."""
    if device != "cuda":
        return None, None
    now = memory_held(device, name)
    if name.endswith(COMPILED):
        return now - before, None
    torch.cuda.reset_peak_memory_stats()
    call()
    peak = torch.cuda.max_memory_allocated()
    return peak - before, peak - now


def rounds(
    prepared: Mapping[str, PreparedMethod], settings: Settings
) -> tuple[dict[str, list[float]], dict[str, Tensor | None]]:
    """Time every call, in lists with one entry per round; return the last maps, too.

    Each round has a new order, since every call leaves caches and memory behind.
    """
    times: dict[str, list[float]] = {name: [] for name in prepared}
    maps: dict[str, Tensor | None] = {}
    order = Random(0)
    gc.collect()
    gc.freeze()  # to look through all objects between calls would empty the processor's caches
    start = perf_counter()
    for count in tqdm(range(settings.rounds), leave=False, disable=None):
        if count >= FEWEST and perf_counter() - start > settings.seconds:
            break
        for name, method in order.sample(list(prepared.items()), len(prepared)):
            time, maps[name] = seconds(method.call, settings.device)
            times[name].append(time)
    gc.unfreeze()
    return times, maps
