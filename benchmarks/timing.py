"""Makes the methods of a workload, and times them in turn, round after round.

On a device with memory of its own that is measured, too. Knows nothing of what the times are
compared with.
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
from methods import COMPILED, FLOOR, Maker, Method, methods
from torch import Tensor, nn
from tqdm import tqdm
from workloads import Workload

FEWEST = 3  # rounds, however long they take
TRIED = 1000  # samples, to find the best size of a batch
TRIES = 6  # of which the first, which makes what is kept for good, does not count
HARDLY_MORE = 1.05


@dataclass(frozen=True)
class Settings:
    """Of a run. rounds and seconds for each workload, whichever is less; 0 threads: torch's choice.

    quick    neither memory nor compiled methods      compiled  also where it takes minutes
    device   of torch: "cpu" or "cuda"
    """

    rounds: int
    seconds: float
    threads: int
    quick: bool
    compiled: bool
    device: str = "cpu"


@dataclass(frozen=True)
class Ready:
    """A method that was called before. size: samples at a time; first: seconds to make it.

    memory   on a device with memory of its own: bytes that rise over what was held before it was
             made, and tensors: over what was held before a call
    """

    call: Method
    size: int | None
    first: float
    memory: int | None = None
    tensors: int | None = None


# ---- making --------------------------------------------------------------------------------------


def made(workload: Workload, settings: Settings) -> tuple[dict[str, Ready], dict[str, str]]:
    """The methods that run, after they were called, and why the others do not."""
    model, x = workload.build(settings.device)
    ready: dict[str, Ready] = {}
    problems: dict[str, str] = {}
    for name in methods(workload):
        if name.endswith(COMPILED) and settings.quick:
            continue
        if name.endswith(COMPILED) and settings.device in workload.slow and not settings.compiled:
            problems[name] = "takes minutes to compile: --compiled"
            continue
        try:
            ready[name] = prepared(workload, name, model, x, settings.device)
        except ModuleNotFoundError as error:
            problems[name] = f"not installed: {error.name}"
        except Exception as error:
            problems[name] = in_a_line(error)
    return ready, problems


def prepared(workload: Workload, name: str, model: nn.Module, x: Inputs, device: str) -> Ready:
    """The method on a copy of the model, called twice or, in parts, at every size of a part.

    What is compiled is called once more, since on CUDA it is recorded at the second call.
    """
    if name != FLOOR:
        model = copy.deepcopy(model)
    size = best_size(workload, name, model, x, device) if workload.sizes else None
    held, start = memory_held(device, name), perf_counter()
    method = lowered(methods(workload, size)[name], workload.lowered, device)(model, x)
    first = perf_counter() - start
    for _ in range(0 if workload.sizes else 2 + name.endswith(COMPILED)):
        method()
    return Ready(method, size, first, *memory_risen(method, held, device, name))


def lowered(make: Maker, dtype: torch.dtype | None, device: str) -> Maker:
    """The method under autocast, if there is a dtype for it."""
    if dtype is None:
        return make

    def made(model: nn.Module, x: Inputs) -> Method:
        with torch.autocast(device, dtype):
            call = make(model, x)

        def cast() -> Tensor | None:
            with torch.autocast(device, dtype):
                return call()

        return cast

    return made


def best_size(workload: Workload, name: str, model: nn.Module, x: Inputs, device: str) -> int:
    """Of the batches that the workload allows, the one that is explained in least time.

    A smaller one that takes hardly more needs less memory. They are timed in turn, since one after
    another they would be compared at different times of the machine.
    """
    counts = {size: max(TRIED, size) for size in workload.sizes}
    calls = {size: methods(workload, size)[name](model, x[:n]) for size, n in counts.items()}
    taken = [
        {size: seconds(calls[size], device)[0] / counts[size] for size in calls}
        for _ in range(TRIES)
    ]
    usual = {size: median(once[size] for once in taken[1:]) for size in calls}
    return min(size for size in usual if usual[size] <= HARDLY_MORE * min(usual.values()))


def in_a_line(error: Exception) -> str:
    """Its type, and as much of its message as there is room for."""
    message = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {message}"[:90]


# ---- measuring -----------------------------------------------------------------------------------


def seconds(call: Method, device: str) -> tuple[float, Tensor | None]:
    """How long it takes, and what it gives, until the device has done with it."""
    gc.collect()
    start = perf_counter()
    found = call()
    if device == "cuda":
        torch.cuda.synchronize()
    return perf_counter() - start, found


def memory_held(device: str, name: str) -> int:
    """Bytes of the device that are held; 0 for what has no memory of its own.

    What is recorded computes in memory that torch reserves for it and counts no tensors in.
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
    """The most bytes of the device that one call holds: over what was held before, and over now."""
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
    ready: Mapping[str, Ready], settings: Settings
) -> tuple[dict[str, list[float]], dict[str, Tensor | None]]:
    """Seconds of every call, a round for each place in the lists; and the last maps.

    Each round has an order of its own, since what ran before leaves caches and memory behind.
    """
    taken: dict[str, list[float]] = {name: [] for name in ready}
    maps: dict[str, Tensor | None] = {}
    order = Random(0)
    gc.collect()
    gc.freeze()  # to look through all objects between calls would empty the processor's caches
    start = perf_counter()
    for count in tqdm(range(settings.rounds), leave=False, disable=None):
        if count >= FEWEST and perf_counter() - start > settings.seconds:
            break
        for name, method in order.sample(list(ready.items()), len(ready)):
            time, maps[name] = seconds(method.call, settings.device)
            taken[name].append(time)
    gc.unfreeze()
    return taken, maps
