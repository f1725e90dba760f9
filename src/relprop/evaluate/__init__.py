"""Measures of explanations, for relevance of any source: feature removal, sanity checks, maps.

Takes models, batches, and relevance: tensors, or functions (model, x, target) that return them.
Must not know how relevance is computed.
"""

from ..support.estimates import Estimate, Interval, bootstrap_mean, bootstrap_means
from .fills.base import Fill
from .fills.before_normalisation import before_normalisation
from .fills.blur import blur
from .fills.from_data import (
    baseline,
    constant,
    gaussian,
    marginal,
    mean,
    mode,
    sample_mean,
    uniform,
)
from .fills.imputation import neighbours
from .fills.registry import FILLS
from .fills.token_deletion import Deletion, delete, hide
from .maps.concentration import complexity, sparseness
from .maps.localisation import Localisation, localisation
from .maps.similarity import Similarity, similarity
from .removal.curves import removal_curve, removal_curves
from .removal.faithfulness import Faithfulness, faithfulness, faithfulness_by_method
from .removal.measures import abpc, aopc, error_rate, margin_drop, srg
from .removal.method_curves import MethodCurves, RemovalCurves, plot_curves
from .removal.ranking import ORDERS, Order, ranking
from .removal.removal_curve import RemovalCurve
from .removal.remove_units import remove_units
from .removal.scores import SCORES
from .removal.superpixels import superpixels
from .removal.units import Units, columns, entries, grouped, patches, pixels, tokens, windows
from .sanity.parameter_randomisation import ParameterRandomisation, parameter_randomisation
from .sanity.planted_artefact import PlantedArtefact, planted_artefact
from .sanity.sensitivity import Sensitivity, sensitivity
from .sanity.target_randomisation import TargetRandomisation, target_randomisation
from .statistics.classification import (
    ClassificationSummary,
    MarginStatistics,
    Proportion,
    classification_summary,
)
from .statistics.paired_test import PairedTest, paired_test, paired_tests
from .statistics.predictions import Model, Predictions, predict

__all__ = [
    "FILLS",
    "ORDERS",
    "SCORES",
    "ClassificationSummary",
    "Deletion",
    "Estimate",
    "Faithfulness",
    "Fill",
    "Interval",
    "Localisation",
    "MarginStatistics",
    "MethodCurves",
    "Model",
    "Order",
    "PairedTest",
    "ParameterRandomisation",
    "PlantedArtefact",
    "Predictions",
    "Proportion",
    "RemovalCurve",
    "RemovalCurves",
    "Sensitivity",
    "Similarity",
    "TargetRandomisation",
    "Units",
    "abpc",
    "aopc",
    "baseline",
    "before_normalisation",
    "blur",
    "bootstrap_mean",
    "bootstrap_means",
    "classification_summary",
    "columns",
    "complexity",
    "constant",
    "delete",
    "entries",
    "error_rate",
    "faithfulness",
    "faithfulness_by_method",
    "gaussian",
    "grouped",
    "hide",
    "localisation",
    "margin_drop",
    "marginal",
    "mean",
    "mode",
    "neighbours",
    "paired_test",
    "paired_tests",
    "parameter_randomisation",
    "patches",
    "pixels",
    "planted_artefact",
    "plot_curves",
    "predict",
    "ranking",
    "removal_curve",
    "removal_curves",
    "remove_units",
    "sample_mean",
    "sensitivity",
    "similarity",
    "sparseness",
    "srg",
    "superpixels",
    "target_randomisation",
    "tokens",
    "uniform",
    "windows",
]
