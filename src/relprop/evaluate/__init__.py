"""Tests of whether an explanation is true, for relevance of any source."""

from .fills.base import Fill
from .fills.from_data import constant, draw, gaussian, given, mean, mode, sample_mean, uniform
from .fills.imputation import neighbours
from .fills.registry import NAMED, before_normalisation, blur
from .fills.token_deletion import Deletion, delete, hide
from .maps.concentration import complexity, sparseness
from .maps.localisation import Localisation, localisation
from .maps.similarity import Similarity, similarity
from .removal.curves import MethodCurves, removal_curve, removal_curves
from .removal.faithfulness import Faithfulness, faithfulness, faithfulness_each
from .removal.measures import abpc, aopc, margin_drop, misread, srg
from .removal.ranking import ORDERS, Order, ranking
from .removal.removal_curve import RemovalCurve
from .removal.remove import feature_count, remove
from .removal.scores import SCORES
from .removal.superpixels import superpixels
from .removal.units import Units, columns, entries, grouped, patches, pixels, tokens
from .sanity.parameter_randomisation import ParameterRandomisation, parameter_randomisation
from .sanity.planted_mark import PlantedMark, planted_mark
from .sanity.sensitivity import Sensitivity, sensitivity
from .sanity.target_randomisation import TargetRandomisation, target_randomisation
from .statistics.estimates import (
    Estimate,
    Interval,
    Paired,
    estimate,
    estimates,
    paired,
    paired_each,
)
from .statistics.predictions import Model, Reading, read

__all__ = [
    "NAMED",
    "ORDERS",
    "SCORES",
    "Deletion",
    "Estimate",
    "Faithfulness",
    "Fill",
    "Interval",
    "Localisation",
    "MethodCurves",
    "Model",
    "Order",
    "Paired",
    "ParameterRandomisation",
    "PlantedMark",
    "Reading",
    "RemovalCurve",
    "Sensitivity",
    "Similarity",
    "TargetRandomisation",
    "Units",
    "abpc",
    "aopc",
    "before_normalisation",
    "blur",
    "columns",
    "complexity",
    "constant",
    "delete",
    "draw",
    "entries",
    "estimate",
    "estimates",
    "faithfulness",
    "faithfulness_each",
    "feature_count",
    "gaussian",
    "given",
    "grouped",
    "hide",
    "localisation",
    "margin_drop",
    "mean",
    "misread",
    "mode",
    "neighbours",
    "paired",
    "paired_each",
    "parameter_randomisation",
    "patches",
    "pixels",
    "planted_mark",
    "ranking",
    "read",
    "removal_curve",
    "removal_curves",
    "remove",
    "sample_mean",
    "sensitivity",
    "similarity",
    "sparseness",
    "srg",
    "superpixels",
    "target_randomisation",
    "tokens",
    "uniform",
]
