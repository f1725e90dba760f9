"""Pages in a browser: nothing is loaded, no error, no finding of axe, no sideways scrolling.

Chromium is found on PATH. Each page is opened from its file, wide and narrow, light and dark.
"""

import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from helpers.networks import randomise, signed
from helpers.pages import build_site
from helpers.tokenizers import Bag, small_tokenizer
from PIL import Image
from torch import nn

import relprop
from relprop.cli import main
from relprop.demo.page import PAGE as DEMO_PAGE
from relprop.demo.page import TABLE_PAGE
from relprop.report.output import PAGE as REPORT_PAGE

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="no chromium or google-chrome on PATH"),
]
SCREENS = {"desktop": (1280, 900), "phone": (390, 844)}
NETS = """
import pandas
import torch
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        torch.manual_seed(0)
        super().__init__(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 3))

class Table(nn.Sequential):
    def __init__(self):
        torch.manual_seed(0)
        super().__init__(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 1), nn.Sigmoid())

class Text(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.head = nn.Embedding(8, 4), nn.Linear(4, 2)
    def forward(self, input_ids, attention_mask):
        return self.head((self.embedding(input_ids) * attention_mask[..., None]).sum(1))

def encode(frame):
    return pandas.get_dummies(frame, dtype=float)
"""


SITE = ["site: index", "site: start", "site: recipes", "site: refusals", "site: reference/explain"]


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Every kind of page that the package writes."""
    home = tmp_path_factory.mktemp("pages")
    (home / "nets.py").write_text(NETS)
    write_data(home)
    found = {}
    for name, data, model, *options in (
        ("picture report", "pictures", "Net"),
        ("table report", "rows.csv", "Table", "--preprocess", f"{home}/nets.py:encode"),
        ("text report", "texts.jsonl", "Text", "--tokenizer", home / "tokenizer"),
    ):
        target = () if data == "pictures" else ("--target", "label")
        line = ["explain", home / data, "--model", f"{home}/nets.py:{model}", *target, *options]
        done = CliRunner().invoke(main, [*map(str, line), "--out", str(home / name)])
        assert done.exit_code == 0, done.output
        found[name] = home / name / REPORT_PAGE
    found |= {name: home / f"{name}.html" for name in ("picture page", "text page", "series page")}
    write_explanations(found)
    demo = ["demo", "--digits", "40", "--out", str(home / "demo")]
    assert CliRunner().invoke(main, demo).exit_code == 0
    build_site(home / "site")
    site = {name: home / "site" / f"{name.removeprefix('site: ')}.html" for name in SITE}
    return {
        **found,
        **site,
        "demo": home / "demo" / DEMO_PAGE,
        "rule table of the demo": home / "demo" / TABLE_PAGE,
    }


def write_data(home) -> None:
    rng = np.random.default_rng(0)
    for i in range(9):
        place = home / "pictures" / ("cat", "cow", "dog")[i % 3]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8), dtype="uint8")).save(place / f"{i}.png")
    rows = [f"{20 + i},{('cook', 'clerk')[i % 2]},{('no', 'yes')[i % 2]}" for i in range(9)]
    (home / "rows.csv").write_text("\n".join(["age,job,label", *rows]))
    (home / "texts.jsonl").write_text('{"text": "a unlikely film", "label": 1}\n' * 3)
    small_tokenizer().save_pretrained(home / "tokenizer")


def write_explanations(found) -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    relprop.explain(randomise(flat).eval(), signed(2, 3, 8, 8).float()).to_html(
        found["picture page"]
    )
    tokenizer, ids = small_tokenizer(), torch.tensor([[3, 5, 6, 4], [4, 4, 0, 0]])
    relprop.explain(randomise(Bag()).eval(), ids).to_html(found["text page"], tokens=tokenizer)
    series = nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(54, 2))
    x = signed(2, 2, 20).float()
    relprop.explain(randomise(series).eval(), x).to_html(found["series page"])


NAMES = [
    "picture report",
    "table report",
    "text report",
    "picture page",
    "text page",
    "series page",
    "demo",
    "rule table of the demo",
    *SITE,
]


def opened(browser, path, size, scheme):
    """Open a page; return it, with what it asked for and what it complained of."""
    width, height = size
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    return page, asked, complaints


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_whole_and_accessible(browser, pages, name, screen, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page, asked, complaints = opened(browser, pages[name], SCREENS[screen], scheme)
    try:
        outside = [url for url in asked if not url.startswith(("file:", "data:"))]
        assert (outside, complaints) == ([], [])
        assert page.evaluate("document.documentElement.scrollWidth") <= SCREENS[screen][0]
        broken = "[...document.images].filter(one => !one.naturalWidth).length"
        assert page.evaluate(broken) == 0
        for opener in page.query_selector_all("details"):
            opener.evaluate("one => { one.open = true }")
        found = axe.run(page).response["violations"]
        serious = [
            (one["id"], node["html"][:120])
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]
        assert serious == []
    finally:
        page.close()


def test_the_gallery_is_sorted_and_filtered(browser, pages):
    page, *_ = opened(browser, pages["picture report"], SCREENS["desktop"], "light")
    shown = "[...document.querySelectorAll('article')].filter(one => !one.hidden)"
    values = f"{shown}.map(one => [one.dataset.margin, one.dataset.verdict])"
    page.select_option("#sort", "uncertain")
    margins = [float(margin) for margin, _ in page.evaluate(values)]
    assert len(margins) == 9
    assert margins == sorted(margins)
    verdicts = [verdict for _, verdict in page.evaluate(values)]
    page.select_option("#verdict", "wrong")
    assert [verdict for _, verdict in page.evaluate(values)] == ["wrong"] * verdicts.count("wrong")
    assert page.inner_text("#count") == f"{verdicts.count('wrong')} shown"
    page.close()
