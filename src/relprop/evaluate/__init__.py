"""Tests of whether an explanation is true: feature removal, for relevance of any source."""

from .curve import RemovalCurve
from .curves import MethodCurves, removal_curve, removal_curves
from .deletion import Deletion, delete, hide
from .estimates import Estimate, Interval, Paired, estimate, estimates, paired, paired_each
from .faithfulness import Faithfulness, faithfulness, faithfulness_each
from .filling import Fill
from .fills import constant, draw, gaussian, given, mean, mode, sample_mean, uniform
from .imputation import neighbours
from .measures import abpc, aopc, margin_drop, misread, srg
from .named_fills import NAMED, before_normalisation, blur
from .ranking import ORDERS, Order, ranking
from .readings import Model, Reading, read
from .removal import feature_count, remove
from .scores import SCORES
from .superpixels import superpixels
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
    "MethodCurves",
    "Model",
    "Order",
    "Paired",
    "Reading",
    "RemovalCurve",
    "Units",
    "abpc",
    "aopc",
    "before_normalisation",
    "blur",
    "columns",
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
    "margin_drop",
    "mean",
    "misread",
    "mode",
    "neighbours",
    "paired",
    "paired_each",
    "patches",
    "pixels",
    "ranking",
    "read",
    "removal_curve",
    "removal_curves",
    "remove",
    "sample_mean",
    "srg",
    "superpixels",
    "tokens",
    "uniform",
]
