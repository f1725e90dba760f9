"""Does relevance name what a network uses? Feature removal on MNIST and Fashion-MNIST, as a page.

    python benchmarks/faithfulness.py [data folder] --out docs/faithfulness.md

Two comparisons as `relprop compare` makes them: the rules and presets on all test images, fill
zero; then more methods and more fills on the first 500. What is done is kept in the work
folder, so that a run that was stopped goes on; the networks for Fashion-MNIST are trained there
when they are missing. The page and two figures are written when all is there.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from architecture import declare_torchvision_operators
from faithfulness_page import page

import relprop
from relprop.compare import METHODS, Comparison, Settings, compare
from relprop.compare.figure import curves_figure
from relprop.data import load_digits
from relprop.demo.plot import to_bytes
from relprop.models.train import train
from relprop.models.training import training_of
from relprop.support.progress import Progress

MNIST = ("mnist-dnn-500", "mnist-dnn-300-100", "mnist-cnn")
FASHION = ("fashion-dnn-500", "fashion-dnn-300-100", "fashion-cnn")
RULES = tuple(method for method in METHODS if method != "gradient-x-input")
MORE = (*METHODS, "integrated-gradients", "smoothgrad")
FILLS = ("zero", "mean", "blur", "neighbours", "marginal")
Q = (0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)


@dataclass(frozen=True)
class Work:
    """Where data is, where work goes on, and how many images are used; None: all."""

    data: Path | None
    folder: Path
    all_images: int | None
    some_images: int
    progress: Progress

    def settings(self, models: tuple[str, ...]) -> tuple[Settings, Settings]:
        """The two comparisons."""
        every = Settings(models, RULES, ("zero",), digits=self.all_images, q=Q, data_dir=self.data)
        some = replace(every, methods=MORE, fills=FILLS, digits=self.some_images, q=(0.1,))
        return every, some


def trained(name: str, work: Work) -> str:
    """The path of a network for Fashion-MNIST, which is trained where it is missing."""
    path = work.folder / "models" / f"{name}.safetensors"
    if not path.exists():
        declare_torchvision_operators()
        train_split, test_split = (
            load_digits(split, work.data, training_of(name).family) for split in ("train", "test")
        )
        train(name, train_split, test=test_split, out=path.parent, progress=work.progress)
    return str(path)


def compared(work: Work) -> tuple[Comparison, Comparison]:
    """Both comparisons, gone on with where they were."""
    models = (*MNIST, *(trained(name, work) for name in FASHION))
    every, some = work.settings(models)
    return (
        compare(every, work.folder / "all", work.progress),
        compare(some, work.folder / "some", work.progress),
    )


def write(out: Path, every: Comparison, some: Comparison) -> None:
    """The page, and the curves of each data set beside it."""
    for one in every.data:
        cases = tuple(case for case in every.cases if case.data == one.name)
        figure = curves_figure(replace(every, cases=cases))
        out.with_name(f"{out.stem}-{one.name}.png").write_bytes(to_bytes(figure, "png"))
    cards = {case.model: relprop.models.model_card(case.model) for case in every.cases}
    out.write_text(page(every, some, cards, out.stem))


def main() -> None:
    """Compare and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="holds mnist/ and fashion-mnist/")
    parser.add_argument("--out", type=Path, default=Path("docs/faithfulness.md"))
    parser.add_argument("--work", type=Path, default=Path("relprop-faithfulness"))
    parser.add_argument("--all", type=int, help="images of the first comparison; default: all")
    parser.add_argument("--some", type=int, default=500, help="images of the second")
    options = parser.parse_args()
    work = Work(options.folder, options.work, options.all, options.some, Progress.detect())
    write(options.out, *compared(work))


if __name__ == "__main__":
    main()
