"""A made row that shows whether transformers that were made again still compute the same.

They are made from what one version of scikit-learn stored; another version may read it otherwise.
Takes preparations of tables. Must not know files.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import FileError
from ..support.extras import needs

if TYPE_CHECKING:
    from .tables import TablePreparation

_NUMBER, _DATE, _CATEGORY = 1.0, "2000-01-31 12:00", "made"
_TOLERANCE = 1e-5  # between machines; another reading differs by far more


def versions() -> dict[str, str]:
    """Return the versions of the libraries that a preparation was fitted with."""
    with needs("fit", "preparing tables"):
        import sklearn
    return {"scikit-learn": sklearn.__version__}


def sample_features(preparation: "TablePreparation") -> Tensor:
    """Return the features of two made rows, (2, f): with known values, and with unknown ones."""
    with needs("fit", "preparing tables"):
        import pandas
    known = {name: _known(preparation, name, kind) for name, kind in preparation.kinds.items()}
    unknown = {"number": float("nan"), "date": None, "category": _CATEGORY}
    others = {name: unknown[kind] for name, kind in preparation.kinds.items()}
    return preparation.apply(pandas.DataFrame([known, others]))


def check_sample_features(
    preparation: "TablePreparation", want: Tensor, made_with: dict[str, str]
) -> None:
    """Raise FileError unless a preparation gives the features that it gave when it was made.

    Args:
        preparation: Made again from its state.
        want: Its `sample_features` of then.
        made_with: The `versions` of then.
    """
    try:
        same = torch.allclose(sample_features(preparation), want, atol=_TOLERANCE)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        same = False  # a transformer misses what this version expects of it
    if not same:
        then, now = made_with["scikit-learn"], versions()["scikit-learn"]
        given = (
            f"a prepared table of scikit-learn {then}, which scikit-learn {now} computes wrongly"
        )
        todo = f"pip install scikit-learn=={then}, or write the bundle again"
        raise FileError(given, "what computes the same as it did", todo)


def _known(preparation: "TablePreparation", name: str, kind: str) -> Any:
    """Return a value of a column: of categories, one that the preparation knows."""
    if kind != "category":
        return _NUMBER if kind == "number" else _DATE
    if name in preparation.wide:
        return (*preparation.wide[name].kept, _CATEGORY)[0]
    columns = [one for one, of in preparation.kinds.items() if of == "category"]
    encoded = [one for one in columns if one not in preparation.wide]
    return preparation.one_hot.categories_[encoded.index(name)][-1]
