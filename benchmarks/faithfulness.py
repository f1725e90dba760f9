"""Compares rules, presets and gradients by feature removal on MNIST and Fashion-MNIST, as a page.

    python benchmarks/faithfulness.py [data folder] --out docs/faithfulness.md

Two comparisons as `relprop compare` runs them: rules and presets on all test images with fill zero;
then more methods and more fills on the first 500. Finished blocks are stored in the work folder, so
that a stopped run can be continued. Networks for Fashion-MNIST are trained there where they are
missing. The page and two figures are written at the end.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from architecture import declare_torchvision_operators
from faithfulness_page import page

from relprop.compare import METHODS, Comparison, Settings, compare
from relprop.compare.figure import curves_figure
from relprop.data import load_digits
from relprop.models import model_card
from relprop.models.train import train
from relprop.models.training import training_of
from relprop.support.figures import figure_bytes
from relprop.support.progress import Progress

MNIST = ("mnist-dnn-500", "mnist-dnn-300-100", "mnist-cnn")
FASHION = ("fashion-dnn-500", "fashion-dnn-300-100", "fashion-cnn")
RULES = tuple(method for method in METHODS if method != "gradient-x-input")
ALL_METHODS = (*METHODS, "integrated-gradients", "smoothgrad")
FILLS = ("zero", "mean", "blur", "neighbours", "marginal")
Q = (0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)


@dataclass(frozen=True)
class Work:
    """Where the comparisons run.

    Attributes:
        data: Folder of the data; None searches for it.
        folder: Folder of trained networks and finished blocks.
        images_of_rules: Images of the first comparison; None takes all.
        images_of_fills: Images of the second comparison.
        progress: Shows the stages.
    """

    data: Path | None
    folder: Path
    images_of_rules: int | None
    images_of_fills: int
    progress: Progress

    def settings(self, models: tuple[str, ...]) -> tuple[Settings, Settings]:
        """Describe both comparisons: of rules, and of all methods by fill."""
        rules = Settings(
            models, RULES, ("zero",), digits=self.images_of_rules, q=Q, data_dir=self.data
        )
        fills = replace(
            rules, methods=ALL_METHODS, fills=FILLS, digits=self.images_of_fills, q=(0.1,)
        )
        return rules, fills


def trained_network(name: str, work: Work) -> str:
    """Return the path of a network for Fashion-MNIST, after training it where it is missing."""
    path = work.folder / "models" / f"{name}.safetensors"
    if not path.exists():
        declare_torchvision_operators()
        train_split, test_split = (
            load_digits(split, work.data, training_of(name).family) for split in ("train", "test")
        )
        train(name, train_split, test=test_split, out=path.parent, progress=work.progress)
    return str(path)


def run_comparisons(work: Work) -> tuple[Comparison, Comparison]:
    """Run both comparisons, or continue them where they were stopped."""
    models = (*MNIST, *(trained_network(name, work) for name in FASHION))
    rules, fills = work.settings(models)
    return (
        compare(rules, work.folder / "rules", progress=work.progress),
        compare(fills, work.folder / "fills", progress=work.progress),
    )


def write(out: Path, rules: Comparison, fills: Comparison) -> None:
    """Write the page, and the curves of each data set beside it."""
    for data in rules.data:
        results = tuple(result for result in rules.results if result.data == data.name)
        figure = curves_figure(replace(rules, results=results))
        out.with_name(f"{out.stem}-{data.name}.png").write_bytes(figure_bytes(figure, "png"))
    cards = {result.model: model_card(result.model) for result in rules.results}
    out.write_text(page(rules, fills, cards, out.stem))


def main() -> None:
    """Run both comparisons and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="holds mnist/ and fashion-mnist/")
    parser.add_argument("--out", type=Path, default=Path("docs/faithfulness.md"))
    parser.add_argument("--work", type=Path, default=Path("relprop-faithfulness"))
    parser.add_argument("--images", type=int, help="of the first comparison; default: all")
    parser.add_argument("--images-by-fill", type=int, default=500, help="of the second comparison")
    options = parser.parse_args()
    images = options.images, options.images_by_fill
    work = Work(options.folder, options.work, *images, Progress.detect())
    write(options.out, *run_comparisons(work))


if __name__ == "__main__":
    main()
