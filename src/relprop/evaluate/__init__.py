"""Tests of whether an explanation is true, for relevance of any source."""

from .concentration import complexity, sparseness
from .curve import RemovalCurve
from .curves import MethodCurves, removal_curve, removal_curves
from .deletion import Deletion, delete, hide
from .estimates import Estimate, Interval, Paired, estimate, estimates, paired, paired_each
from .faithfulness import Faithfulness, faithfulness, faithfulness_each
from .filling import Fill
from .fills import constant, draw, gaussian, given, mean, mode, sample_mean, uniform
from .imputation import neighbours
from .localisation import Localisation, localisation
from .measures import abpc, aopc, margin_drop, misread, srg
from .named_fills import NAMED, before_normalisation, blur
from .parameter_randomisation import ParameterRandomisation, parameter_randomisation
from .planted import PlantedMark, planted_mark
from .ranking import ORDERS, Order, ranking
from .readings import Model, Reading, read
from .removal import feature_count, remove
from .scores import SCORES
from .sensitivity import Sensitivity, sensitivity
from .similarity import Similarity, similarity
from .superpixels import superpixels
from .target_randomisation import TargetRandomisation, target_randomisation
from .units import Units, columns, entries, grouped, patches, pixels, tokens

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
