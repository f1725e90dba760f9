"""A process that searches beside another one: `python -m relprop.search.worker`.

Takes what `workers.py` writes to its standard input. It ends with the process that started it.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from ..data.options import DataOptions
from ..errors import RelpropError
from ..support.progress import QUIET
from .budget import Deadline
from .request import FitRequest
from .run import run_worker
from .settings import FitSettings


def run_process() -> None:
    """Search until the time is over."""
    told = json.loads(sys.stdin.read())
    parent: int = told["parent"]
    try:
        run_worker(parse_request(told), QUIET, lambda: os.getppid() == parent)
    except KeyboardInterrupt:
        sys.exit(1)
    except RelpropError as error:  # the process that started it goes on without
        sys.exit(f"a process that searches beside this one ended:\n{error}")


def parse_request(told: dict[str, Any]) -> FitRequest:
    """Return the request that another process wrote."""
    options = {**told["options"], "split": tuple(told["options"]["split"])}
    settings = {**told["settings"], "out": Path(told["settings"]["out"])}
    return FitRequest(
        told["source"],
        DataOptions(**options),
        FitSettings(**settings),
        Deadline(**told["deadline"]),
    )


if __name__ == "__main__":
    run_process()
