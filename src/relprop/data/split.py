"""Puts samples into training, validation and test part, once.

Takes a target, hashes of the samples, and what is known of parts, groups and times. Gives the part
of each sample, with reasons. Must not know what the samples are.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dataset import DataTarget, Finding
from .words import counted, listed

_FEWEST = 10  # samples that can be split
_LARGEST = 0.05  # of all samples: more equal ones are no copies, but samples of few values
_FEW_EQUAL = 3  # equal ones are copies in small data, too
_QUANTILES = 10  # parts of the range of a value, which all parts of the data have


@dataclass(frozen=True)
class SplitRequest:
    """What decides the parts.

    Attributes:
        target: What is predicted: each part has each class in the same share.
        hashes: Of the samples: equal ones stay on one side, (n,).
        official: "train", "validation" or "test" where the source says so, else "", (n,).
        groups: Group of each sample, which stays in one part; None: there are none, (n,).
        times: Time of each sample; None: order does not matter, (n,).
        shares: Of the test part, and of the validation part in the rest.
        seed: Of the choice.
    """

    target: DataTarget
    hashes: NDArray[np.uint64]
    official: NDArray[np.str_]
    groups: NDArray[Any] | None
    times: NDArray[Any] | None
    shares: tuple[float, float]
    seed: int


@dataclass(frozen=True)
class SplitResult:
    """The part of each sample.

    Attributes:
        parts: "train", "validation" or "test", (n,).
        findings: How they were made.
        warnings: What the user should know.
    """

    parts: NDArray[np.str_]
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]


def split_samples(request: SplitRequest) -> SplitResult:
    """Put each sample into a part.

    The choice follows from the content of a sample and the seed, so that it does not depend on the
    order in which samples were read.

    Raises:
        InputError: There are fewer than ten samples, or parts cannot be made.
    """
    count = len(request.hashes)
    if count < _FEWEST:
        given = f"{count} samples with a label"
        raise InputError(given, f"{_FEWEST} at least, to train, validate and test", "add samples")
    together = are_copies(request.hashes)
    drawn = request if together else replace(request, hashes=_apart(request))
    parts = np.where(request.official == "", "train", request.official).astype("<U10")
    reasons = []
    for part, share in zip(("test", "validation"), request.shares, strict=True):
        if (parts == part).any():
            reasons.append("official")
            continue
        rows = np.flatnonzero(parts == "train")
        chosen, reason = _choose(drawn, rows, share, together)
        parts[rows[chosen]] = part
        reasons.append(f"{share:.0%} of the rest" if part == "validation" else f"{share:.0%}")
        reasons[-1] += f", {reason}"
    _check_parts(parts, request)
    warnings = _shared(request, parts)
    if not together:
        largest = _largest(request.hashes)
        why = f"the largest set of equal ones has {largest:,} of {count:,}, so values are few"
        warnings.append(f"Equal samples are not kept in one part: {why}.")
    test, validation = reasons
    findings = [
        _finding(parts, "train", "the rest"),
        _finding(parts, "validation", validation),
        _finding(parts, "test", f"{test}; read once, at the end"),
    ]
    return SplitResult(parts, tuple(findings), tuple(warnings))


def are_copies(hashes: NDArray[np.uint64] | NDArray[np.int64]) -> bool:
    """Tell whether equal samples are copies, which stay together, and not samples of few values.

    Args:
        hashes: Of the samples, or other numbers that equal ones share, (n,).
    """
    return _largest(hashes) <= max(_FEW_EQUAL, _LARGEST * len(hashes))


def _largest(hashes: NDArray[np.uint64] | NDArray[np.int64]) -> int:
    """Return how many samples the largest set of equal ones has."""
    return int(np.unique(hashes, return_counts=True)[1].max())


def _finding(parts: NDArray[np.str_], part: str, reason: str) -> Finding:
    return Finding(f"{part} part", f"{(parts == part).sum():,} samples", reason)


def _choose(
    request: SplitRequest, rows: NDArray[np.int64], share: float, together: bool
) -> tuple[NDArray[np.bool_], str]:
    """Choose about a share of some samples. Returns a mask of them, and how they were chosen."""
    if request.times is not None:
        return _latest(request.times[rows], share), "the latest"
    units = _units(request, rows)
    strata = _strata(request.target, rows)
    how = "at random" + (", equal ones together" if together else "")
    how = "groups kept together" if request.groups is not None else how
    return _drawn(units, strata, request.hashes[rows], share, request.seed), (
        f"{how}, {_STRATA[request.target.task]}, seed {request.seed}"
    )


_STRATA = {
    "classes": "each class in the same share",
    "labels": "rare labels in the same share",
    "value": "all ranges of the value in the same share",
}


def _apart(request: SplitRequest) -> NDArray[np.uint64]:
    """Give equal samples hashes of their own, whatever their order: by label, then counted."""
    hashes = request.hashes
    order = np.lexsort((_strata(request.target, np.arange(len(hashes))), hashes))
    _, first, group = np.unique(hashes[order], return_index=True, return_inverse=True)
    counted_off = np.empty(len(hashes), np.uint64)
    counted_off[order] = np.arange(len(hashes)) - first[group]
    return hashes ^ _draws(counted_off, 0)


def _latest(times: NDArray[Any], share: float) -> NDArray[np.bool_]:
    """Choose the latest samples; those of the same time stay together."""
    places = np.sort(times)
    start = places[min(round(len(times) * (1 - share)), len(times) - 1)]
    chosen = times >= start
    return np.asarray(chosen if not chosen.all() else times > start)


def _units(request: SplitRequest, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count off what stays together: equal samples, and samples of a group."""
    equal = np.unique(request.hashes[rows], return_inverse=True)[1]
    if request.groups is None:
        return np.asarray(equal, np.int64)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    groups = np.unique(request.groups[rows].astype(str), return_inverse=True)[1]
    size = int(equal.max()) + 1
    total = size + int(groups.max()) + 1
    links = coo_array((np.ones(len(rows), np.int8), (equal, size + groups)), shape=(total, total))
    numbers = np.asarray(connected_components(links, directed=False)[1], np.int64)
    return np.asarray(numbers[equal])


def _strata(target: DataTarget, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tell what each part has in the same share: classes, rarest labels, ranges of the value."""
    values = target.values[rows]
    if target.task == "classes":
        return np.asarray(values, np.int64)
    if target.task == "labels":
        frequency = np.where(values > 0, values.sum(axis=0), np.inf)
        rarest = np.where(values.any(axis=1), frequency.argmin(axis=1), values.shape[1])
        return np.asarray(rarest, np.int64)
    edges = np.quantile(values, np.linspace(0, 1, min(_QUANTILES, len(rows) // 10 + 1) + 1)[1:-1])
    return np.asarray(np.searchsorted(edges, values, side="right"), np.int64)


def _drawn(
    units: NDArray[np.int64],
    strata: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    share: float,
    seed: int,
) -> NDArray[np.bool_]:
    """Draw units until each stratum has its share. Returns a mask of the samples."""
    # A unit belongs to the stratum of its first sample, by hash, and has the draw of that hash.
    order = np.lexsort((strata, hashes, units))
    firsts = order[np.unique(units[order], return_index=True)[1]]
    sizes = np.bincount(units)
    draws, stratum = _draws(hashes[firsts], seed), strata[firsts]
    order = np.lexsort((draws, stratum))
    sizes, stratum = sizes[order], stratum[order]
    totals = np.bincount(stratum, weights=sizes)
    counts = np.bincount(stratum)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    before = np.cumsum(sizes) - sizes
    before = before - np.repeat(before[starts[counts > 0]], counts[counts > 0])
    quota = totals[stratum] * share
    chosen = before + sizes / 2 <= quota + 1e-9
    # Of three units and more, one is taken at least, and never all.
    place = np.arange(len(order)) - starts[stratum]
    chosen = (chosen | ((place == 0) & (counts[stratum] >= 3))) & (place < counts[stratum] - 1)
    taken = np.zeros(len(order), bool)
    taken[order] = chosen
    return taken[units]


def _draws(hashes: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Make random numbers of hashes and a seed, by the mixing function of SplitMix64."""
    with np.errstate(over="ignore"):
        x = hashes + np.uint64((seed * 0x9E3779B97F4A7C15) % 2**64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def _check_parts(parts: NDArray[np.str_], request: SplitRequest) -> None:
    for part in ("train", "validation", "test"):
        if not (parts == part).any():
            kept, todo = (
                "equal samples",
                "add other samples; in Python, a larger split=(0.2, 0.2) may do",
            )
            if request.groups is not None:
                kept, todo = "groups", "choose another --group, or leave it out"
            elif request.times is not None:
                kept, todo = "rows of one time", "choose another --time, or leave it out"
            given = f"{len(parts)} samples, of which none would be in the {part} part"
            allowed = f"samples for all parts, {kept} kept together"
            raise InputError(given, allowed, todo)


def _shared(request: SplitRequest, parts: NDArray[np.str_]) -> list[str]:
    """Warn of what is on both sides although it should not be, and count equal samples."""
    warnings = []
    test = parts == "test"
    both = int(np.isin(request.hashes[test], request.hashes[~test]).sum())
    if both:
        of = f"{_is(both)} of samples outside the test part"
        warnings.append(f"{both:,} of {counted(int(test.sum()), 'test sample')} {of}.")
    if request.groups is not None:  # of which an official test part may know nothing
        shared = np.unique(request.groups[test & np.isin(request.groups, request.groups[~test])])
        if len(shared):
            warnings.append(f"Groups inside and outside the test part: {listed(list(shared))}.")
    equal = len(parts) - len(np.unique(request.hashes))
    if equal:
        warnings.append(f"{counted(equal, 'sample')} in all {_is(equal)} of others.")
    if request.target.task == "classes":
        lacking = np.setdiff1d(request.target.values[test], request.target.values[~test])
        if len(lacking):
            names = listed([request.target.names[i] for i in lacking])
            warnings.append(f"Classes of which all samples are in the test part: {names}.")
    return warnings


def _is(number: int) -> str:
    return "is a copy" if number == 1 else "are copies"
