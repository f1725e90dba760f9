"""The rule table: one model, many digits, error rates after the pixels of each recipe are removed.

Takes a model and digits. Gives frozen records of numbers, and the predictions behind them. Must not
know files, figures or pages.

    n  digits
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from ..data import Digits
from ..evaluate import ORDERS, Order, Predictions, removal_curve, removal_curves
from ..evaluate.removal.steps import share_counts
from ..evaluate.statistics.classification import ClassificationSummary, classification_summary
from ..evaluate.statistics.paired_test import PairedTest, paired_test
from ..explanation.explainer import Explainer
from ..models.defaults import BATCH_SIZE, PRESET_PARAMETERS
from ..recipes.recipe import Recipe
from ..support.progress import QUIET, Progress

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {name: Recipe.preset(name, **values) for name, values in PRESET_PARAMETERS.items()}
)
MAIN_RECIPE = "epsilon"  # shown digit by digit, compared with random removal, used for each network


@dataclass(frozen=True)
class RuleRow:
    """A row of the table.

    Attributes:
        recipe: Name of the recipe.
        most: Error rate and margins after the most relevant pixels are removed.
        least: Error rate and margins after the least relevant pixels are removed.
    """

    recipe: str
    most: ClassificationSummary
    least: ClassificationSummary


@dataclass(frozen=True)
class RuleTable:
    """The table, its controls, and the main recipe's predictions for a look at single digits.

    Attributes:
        q: Share of the pixels removed.
        seed: Random seed of the random pixels and of ties.
        pixels: Pixels of a digit.
        removed_pixels: Pixels removed from a digit.
        untouched: Nothing removed.
        random: Random pixels removed; drawn once, as they do not depend on a recipe.
        random_ink: Random pixels removed of those that are not blank, and of the blank ones where
            these run out. A harder control: most of a digit is blank, and removing a blank pixel
            changes nothing.
        rows: The rows, by recipe.
        against_random: Paired test of errors: most relevant by the main recipe, minus random.
        against_random_ink: The same, minus random ink.
        relevance: Relevance by the main recipe, (n, 1, h, w).
        before: Predictions for the unmodified digits.
        after: Predictions after removal by the main recipe, by order.
    """

    q: float
    seed: int
    pixels: int
    removed_pixels: int
    untouched: ClassificationSummary
    random: ClassificationSummary
    random_ink: ClassificationSummary
    rows: tuple[RuleRow, ...]
    against_random: PairedTest
    against_random_ink: PairedTest
    relevance: Tensor
    before: Predictions
    after: Mapping[Order, Predictions]


def explainers_by_recipe(model: nn.Module) -> dict[str, Explainer]:
    """Make an explainer of the model for each recipe; the model is captured once."""
    explainer = Explainer(model, RECIPES[MAIN_RECIPE])
    return {
        name: explainer if name == MAIN_RECIPE else explainer.with_recipe(recipe)
        for name, recipe in RECIPES.items()
    }


def compute_rule_table(
    explainers: Mapping[str, Explainer],
    digits: Digits,
    *,
    q: float = 0.1,
    seed: int = 0,
    progress: Progress = QUIET,
) -> RuleTable:
    """Remove the share q of each digit's pixels by every recipe, and classify what is left.

    Relevance is that for the class predicted for the unmodified digit. A removed pixel becomes 0,
    the background.

    Args:
        explainers: Explainer of one model by recipe, MAIN_RECIPE among them.
        digits: Images and labels.
        q: Share of the pixels to remove.
        seed: Random seed of the random pixels, and of the order of pixels of equal relevance.
        progress: Shows the explanations and the removal.

    Raises:
        InputError: q is not in (0, 1], or less than half a pixel.
    """
    images, labels = digits.images, digits.labels
    model, pixels = explainers[MAIN_RECIPE].model, images[0].numel()
    removed_pixels = pixel_count(q, pixels)
    relevance = _explain(explainers, images, progress)
    steps, batch_size = (removed_pixels,), BATCH_SIZE
    curves = removal_curves(
        model, images, relevance, steps=steps, seed=seed, batch_size=batch_size, progress=progress
    )
    ink = removal_curve(
        model, images, (images > 0).float(), steps=steps, seed=seed, batch_size=batch_size
    )
    main = curves[MAIN_RECIPE]
    after = {order: getattr(main, order).at(q) for order in ORDERS}
    return RuleTable(
        q=q,
        seed=seed,
        pixels=pixels,
        removed_pixels=removed_pixels,
        untouched=classification_summary(main.morf.at(0), labels),
        random=classification_summary(after["random"], labels),
        random_ink=classification_summary(ink.at(q), labels),
        rows=tuple(
            RuleRow(
                name,
                most=classification_summary(of_recipe.morf.at(q), labels),
                least=classification_summary(of_recipe.lerf.at(q), labels),
            )
            for name, of_recipe in curves.items()
        ),
        against_random=_compare_errors(after["morf"], after["random"], labels),
        against_random_ink=_compare_errors(after["morf"], ink.at(q), labels),
        relevance=relevance[MAIN_RECIPE],
        before=main.morf.at(0),
        after=MappingProxyType(after),
    )


def pixel_count(q: float, pixels: int) -> int:
    """Return how many pixels the share q is. Raises InputError unless at least half a pixel."""
    return int(share_counts(q, torch.tensor([pixels])))


def _explain(
    explainers: Mapping[str, Explainer], images: Tensor, progress: Progress
) -> dict[str, Tensor]:
    relevance = {}
    total = len(images) * len(explainers)
    with progress.stage("Rule table", total, "explanations") as advance:
        for name, explainer in explainers.items():
            relevance[name] = explainer(images, batch_size=BATCH_SIZE).relevance
            advance(len(images))
    return relevance


def _compare_errors(first: Predictions, second: Predictions, labels: Tensor) -> PairedTest:
    """Test the error rate of the first predictions minus that of the second."""
    return paired_test(first.prediction != labels, second.prediction != labels)
