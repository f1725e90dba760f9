"""The Python call of a fit: `relprop.fit`.

Takes data and what is known of it as keyword arguments. Gives the bundle. Imports the rest of the
package at the first call, so that `import relprop` stays quick.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic  # `time` is a column of the data here
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..bundles.bundle import Bundle
    from ..data.dataset import ColumnKind, Modality, Resize
    from ..support.progress import ProgressOption


def fit(
    data: Any,
    *,
    budget: str = "10m",
    out: str | Path = "bundle",
    target: str | None = None,
    labels: Sequence[str] = (),
    modality: "Modality | None" = None,
    test: Any = None,
    drop: Sequence[str] = (),
    kinds: "Mapping[str, ColumnKind] | None" = None,
    group: str | None = None,
    time: str | None = None,
    split: tuple[float, float] = (0.15, 0.15),
    resize: "Resize | None" = None,
    trials: int | None = None,
    memory: str | None = None,
    workers: int = 1,
    seed: int = 0,
    space: Mapping[str, Any] | None = None,
    encoder: str | Path = "",
    device: str = "auto",
    progress: "ProgressOption" = False,
) -> "Bundle":
    """Search, train and test a network for a data set, within a budget of wall time.

    The best model so far is in the folder at any moment. The same call again goes on from there.

    Args:
        data: A path, the name of a data set, a DataFrame, or a pair of samples and labels; see
            `relprop.data.read_dataset`.
        budget: Wall time from the call to the written bundle: "90s", "10m", "1h30m".
        out: Folder of the bundle and of the search.
        target: Column that is to be predicted; None: it is found.
        labels: Columns of 0 and 1 that are all to be predicted.
        modality: "picture", "table", "series" or "text"; None: it is found.
        test: An official test part.
        drop: Columns to leave out.
        kinds: Of some columns "number", "category" or "date".
        group: Column whose rows with the same value stay in the same part.
        time: Column by which rows are ordered: the latest become the test part.
        split: Shares of the test part, and of the validation part in the rest.
        resize: How pictures of other sizes are brought to that of most: "crop", "stretch" or "pad";
            None: "crop".
        trials: The most trials; None: as many as the time allows.
        memory: The most memory that the program may hold: "2GB". A trial that needs more is given
            up. On Linux.
        workers: Number of processes that search.
        seed: Random seed.
        space: What is searched: {"families": ["mlp"], "mlp": {"width": [64, 128], "rate": {"low":
            1e-3, "high": 1e-2}}}; what is left out is searched as a whole.
        encoder: Folder of a pretrained `transformers` encoder of texts.
        device: "cpu", "cuda" or "auto".
        progress: True shows the trials on stderr.

    Returns:
        The bundle, as `relprop.load(out)` gives it.

    Raises:
        InputError: An argument, or the data, is not one that can be learned from; the budget is too
            small for one training; the folder holds another search.
        FileError: A file cannot be read or written.
        MissingExtraError: A package is not installed.

    Example:
        >>> bundle = relprop.fit(frame, target="income", budget="5m")  # doctest: +SKIP
        >>> bundle.predict(frame[:3])  # doctest: +SKIP
        array(['<=50K', '<=50K', '>50K'], dtype=object)
    """
    begun = monotonic()  # what is imported at the first call takes seconds, which count
    from ..bundles.bundle import open_content
    from ..data.options import DataOptions
    from ..support.progress import progress_of
    from .budget import Deadline
    from .request import FitRequest
    from .run import run_fit
    from .settings import parse_settings

    settings = parse_settings(
        out=out,
        budget=budget,
        trials=trials,
        memory=memory,
        workers=workers,
        seed=seed,
        space={} if space is None else space,
        encoder=encoder,
        device=device,
    )
    options = DataOptions(
        target=target,
        labels=labels,
        modality=modality,
        test=test,
        drop=drop,
        kinds=kinds or {},
        group=group,
        time=time,
        split=split,
        resize=resize,
        seed=seed,
    )
    request = FitRequest(data, options, settings, Deadline(begun, settings.seconds))
    fitted = run_fit(request, progress_of(progress), lambda dataset: None)
    return open_content(fitted.content)
