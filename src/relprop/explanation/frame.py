"""Relevance of rows of a table, or of tokens, as a data frame with their names.

Takes an explanation and names. Gives columns and frames. Loaded on use.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import InputError
from ..plot.tables import Columns
from ..plot.texts import tokens_of
from ..support.extras import needs

if TYPE_CHECKING:
    from pandas import DataFrame

    from .result import Explanation


def columns_named(
    explanation: "Explanation",
    feature_names: Sequence[str] | None,
    groups: Mapping[str, Sequence[str | int]] | None,
) -> Columns:
    """Name the columns of an explanation: as given, or else as it has the names itself."""
    known = explanation.naming
    feature_names = known.get("feature_names") if feature_names is None else feature_names
    groups = known.get("groups") if groups is None else groups
    return Columns.of(explanation.input.shape[1:], feature_names, groups)


def relevance_frame(
    explanation: "Explanation",
    feature_names: Sequence[str] | None,
    groups: Mapping[str, Sequence[str | int]] | None,
) -> "DataFrame":
    """Return relevance with a row for each sample, of named tokens one for each token."""
    with needs("explain", "data frames"):
        from pandas import DataFrame
    if explanation.several:
        given = f"a frame of {len(explanation.targets)} targets of each sample"
        raise InputError(given, "one target", "write target=0, and the same for each other target")
    if "tokens" in explanation.naming and feature_names is None and groups is None:
        return DataFrame(_token_rows(explanation), columns=["sample", "token", "relevance"])
    columns = columns_named(explanation, feature_names, groups)
    labels, sums = columns.summed(explanation.relevance)
    names = [columns.name(one) if isinstance(one, int) else one for one in labels]
    return DataFrame(sums.numpy(), columns=names)


def _token_rows(explanation: "Explanation") -> list[tuple[int, str, float]]:
    """Return sample, token and relevance of each token of texts, without padding."""
    relevance, tokens = explanation.relevance, explanation.naming["tokens"]
    return [
        (i, token.text, token.relevance)
        for i, of_text in enumerate(relevance)
        for token in tokens_of(explanation.input[i], of_text, tokens, i)
    ]
