"""Tunes the recipes of six networks and writes docs/tuned.md: gains on held-out samples.

    python benchmarks/tuned.py DATA --work FOLDER --out docs/tuned.md

A network that was measured stays in the JSON file beside the page; `--only NAME` measures again.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from tuned_networks import NETWORKS, Network, accuracy
from tuned_page import page

import relprop

SAMPLES, RECIPES, STEPS, SEED = 1000, 80, 10, 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder of networks and searches")
    parser.add_argument("--out", type=Path, default=Path("docs/tuned.md"))
    parser.add_argument("--only", default="", help="networks whose name has this in it")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--recipes", type=int, default=RECIPES)
    options = parser.parse_args()
    torch.set_num_threads(1)
    record = options.out.with_suffix(".json")
    for network in NETWORKS:
        if options.only in network.name:
            done = measure(network, options)
            runs = json.loads(record.read_text()) if record.exists() else {}
            record.write_text(json.dumps({**runs, network.name: done}, indent=1) + "\n")
    runs = json.loads(record.read_text()) if record.exists() else {}
    options.out.write_text(page(runs, [network.name for network in NETWORKS]))


def measure(network: Network, options: argparse.Namespace) -> dict[str, object]:
    """Tune one network."""
    ready = network.make(options.data, options.work)
    chosen = torch.linspace(0, len(ready.x) - 1, min(options.samples, len(ready.x))).long()
    start = time.perf_counter()
    tuned = relprop.tune(
        ready.model,
        ready.x[chosen],
        fill=ready.fills,
        other_fills=ready.other_fills,
        trials=options.recipes,
        steps=STEPS,
        units=ready.units,
        seed=SEED,
        progress=True,
    )
    return {
        "accuracy": accuracy(ready),
        "test": len(ready.x),
        "seconds": time.perf_counter() - start,
        "classes": list(ready.classes),
        "steps": STEPS,
        "seed": SEED,
        **tuned.to_dict(),
    }


if __name__ == "__main__":
    main()
