"""The rule table: one model, many digits, error rates after the pixels of each recipe are removed.

Takes a model and digits. Gives frozen records of numbers, and the predictions behind them. Must not
know files, figures or pages.

    n  digits      d  pixels of a digit
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from ..data import Digits
from ..evaluate import PairedTest, Predictions, paired_tests
from ..evaluate.removal.steps import share_counts
from ..evaluate.statistics.classification import ClassificationSummary, classification_summary
from ..explanation.explainer import Explainer
from ..models.defaults import BATCH_SIZE, PRESET_PARAMETERS
from ..recipes.recipe import Recipe
from ..support.progress import QUIET, Progress
from .removal import (
    BRIGHTEST,
    CONTROL_ORDERS,
    DEMO_FILLS,
    RANDOM,
    Outcomes,
    Removal,
    Subject,
    classify_removals,
    least,
    rank_controls,
    rank_relevance,
)

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {name: Recipe.preset(name, **values) for name, values in PRESET_PARAMETERS.items()}
)
MAIN_RECIPE = "epsilon"  # shown first, compared with the controls, and used for each network

ByFill = Mapping[str, ClassificationSummary]


@dataclass(frozen=True)
class RuleRow:
    """A row of the table.

    Attributes:
        recipe: Name of the recipe.
        most: Error rate and margins without the most relevant pixels, by fill.
        least: The same without those of least |relevance|.
        against_brightest: Paired test of errors, by fill: most relevant minus brightest.
    """

    recipe: str
    most: ByFill
    least: ByFill
    against_brightest: Mapping[str, PairedTest]


@dataclass(frozen=True)
class RuleTable:
    """The table, its controls, and the predictions for a look at single digits.

    Attributes:
        q: Share of the pixels removed.
        seed: Random seed of random pixels and of ties.
        pixels: Pixels of a digit.
        removed_pixels: Pixels removed from a digit.
        greys: Grey value of a removed pixel, by fill.
        untouched: Nothing removed.
        controls: Error rate and margins by order and fill. Brightest first and random ink (drawn
            among the pixels that are not blank, and where these run out among the others) know
            the digit alone. Random pixels are weak: most are blank.
        rows: The rows, by recipe.
        blank: Mean number of blank pixels among those of least |relevance| by the main recipe.
        ink: Pixels of each digit that are not blank, (n,).
        blank_class: Class predicted of a blank picture, which removal in black leaves of a digit
            that has no more ink than is removed.
        relevance: Relevance by recipe, (n, 1, h, w).
        ranked: Pixels, first removed first, (n, d), by name of the order.
        before: Predictions for the unmodified digits.
        outcomes: Predictions after each removal of `removed_pixels`.
    """

    q: float
    seed: int
    pixels: int
    removed_pixels: int
    greys: Mapping[str, float]
    untouched: ClassificationSummary
    controls: Mapping[str, ByFill]
    rows: tuple[RuleRow, ...]
    blank: float
    ink: Tensor
    blank_class: int
    relevance: Mapping[str, Tensor]
    ranked: Mapping[str, Tensor]
    before: Predictions
    outcomes: Outcomes

    @property
    def main(self) -> RuleRow:
        """The row of the main recipe."""
        return next(row for row in self.rows if row.recipe == MAIN_RECIPE)

    @property
    def blanked(self) -> Tensor:
        """Whether a digit (n,) has no more ink than is removed."""
        return self.ink <= self.removed_pixels

    @property
    def thin(self) -> Tensor:
        """Whether removal leaves next to nothing of a digit (n,): less than a third of its ink."""
        return self.ink - self.removed_pixels < self.ink / 3

    def after(self, order: str, fill: str) -> Predictions:
        """Return the predictions after the removal in an order under a fill."""
        return self.outcomes[Removal(order, fill, self.removed_pixels)]


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

    Relevance is that for the class predicted for the unmodified digit.

    Args:
        explainers: Explainer of one model by recipe, MAIN_RECIPE among them.
        digits: Images and labels.
        q: Share of the pixels to remove.
        seed: Random seed of random pixels, and of the order of pixels of equal relevance.
        progress: Shows the explanations and the removal.

    Raises:
        InputError: q is not in (0, 1], or less than half a pixel.
    """
    images = digits.images
    count = pixel_count(q, images[0].numel())
    relevance = _explain(explainers, images, progress)
    ranked = {**rank_relevance(relevance, seed), **rank_controls(images, seed)}
    subject = Subject.of(explainers[MAIN_RECIPE].model, images)
    removals = [Removal(order, fill, count) for order in ranked for fill in DEMO_FILLS]
    with progress.stage("Removal", len(removals) * len(images), "inputs") as advance:
        outcomes = classify_removals(subject, ranked, removals, advance=advance)
    by_order = {order: _by_fill(outcomes, order, count, digits.labels) for order in ranked}
    tests = _against_brightest(outcomes, tuple(explainers), count, digits.labels)
    last = ranked[least(MAIN_RECIPE)][:, :count]
    return RuleTable(
        q=q,
        seed=seed,
        pixels=images[0].numel(),
        removed_pixels=count,
        greys=subject.greys,
        untouched=classification_summary(subject.before, digits.labels),
        controls=MappingProxyType({name: by_order[name] for name in (*CONTROL_ORDERS, RANDOM)}),
        rows=tuple(
            RuleRow(name, by_order[name], by_order[least(name)], tests[name]) for name in explainers
        ),
        ink=(images > 0).flatten(1).sum(1),
        blank_class=int(subject.model(torch.zeros_like(images[:1])).argmax()),
        blank=float((images.flatten(1).gather(1, last) == 0).sum(1).double().mean()),
        relevance=MappingProxyType(relevance),
        ranked=MappingProxyType(ranked),
        before=subject.before,
        outcomes=MappingProxyType(outcomes),
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


def _by_fill(outcomes: Outcomes, order: str, count: int, labels: Tensor) -> ByFill:
    return MappingProxyType(
        {
            fill: classification_summary(outcomes[Removal(order, fill, count)], labels)
            for fill in DEMO_FILLS
        }
    )


def _against_brightest(
    outcomes: Outcomes, recipes: tuple[str, ...], count: int, labels: Tensor
) -> dict[str, Mapping[str, PairedTest]]:
    """Test, by recipe and fill, errors without the most relevant minus without the brightest."""
    wrong = {removal: after.prediction != labels for removal, after in outcomes.items()}
    cells = [(recipe, fill) for recipe in recipes for fill in DEMO_FILLS]
    tests = paired_tests(
        [
            (wrong[Removal(recipe, fill, count)], wrong[Removal(BRIGHTEST, fill, count)])
            for recipe, fill in cells
        ]
    )
    found = dict(zip(cells, tests, strict=True))
    return {
        recipe: MappingProxyType({fill: found[recipe, fill] for fill in DEMO_FILLS})
        for recipe in recipes
    }
