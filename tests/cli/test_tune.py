"""The command `relprop tune`, from a user's files to a recipe that other commands take."""

import json

import pytest
from helpers import made_bundles as made
from helpers.explain_command import command, make_home

import relprop
from relprop.tuning.output import NUMBERS, PAGE, RECIPE

SMALL = {"width": 16, "depth": 1, "dropout": 0.0}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("tune"))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    return made.write_two(tmp_path_factory.mktemp("bundles"), **SMALL)


def tune(*words):
    return command("tune", *words, "--quiet")


@pytest.fixture(scope="module")
def of_pictures(home):
    words = (f"{home / 'nets.py'}:Net", home / "pictures", "--recipes", 4, "--steps", 6)
    return tune(*words, "--other-fills", "zero", "--out", home / "out"), home / "out"


def test_recipe_page_and_numbers_are_written(of_pictures):
    result, out = of_pictures
    assert result.exit_code == 0, result.output
    recipe = relprop.Recipe.from_toml((out / RECIPE).read_text())
    numbers = json.loads((out / NUMBERS).read_text())
    assert relprop.Recipe.from_toml(numbers["recipe"]) == recipe
    assert numbers["samples"] == {"search": 3, "selection": 3, "report": 6}
    assert [(one["fill"], one["tuned_for"]) for one in numbers["scores"]] == [
        ("mean", True),
        ("zero", False),
    ]
    page = (out / PAGE).read_text()
    assert numbers["verdict"].split(":")[0] in page
    assert numbers["verdict"] in result.stdout
    assert result.stdout.endswith(f"The page: {out / PAGE}\n")


def test_the_same_command_goes_on_and_prints_json(home, of_pictures):
    _, out = of_pictures
    words = (f"{home / 'nets.py'}:Net", home / "pictures", "--recipes", 6, "--steps", 6)
    result = tune(*words, "--other-fills", "zero", "--out", out, "--json")
    assert json.loads(result.stdout)["trials"] == 6
    assert json.loads(result.stdout) == json.loads((out / NUMBERS).read_text())


def test_explain_takes_the_recipe(home, of_pictures):
    _, out = of_pictures
    words = ("--model", f"{home / 'nets.py'}:Net", home / "pictures", "--recipe", out / RECIPE)
    result = command("explain", *words, "--curves", 0, "--out", home / "explained", "--quiet")
    assert result.exit_code == 0, result.output


def test_a_bundle_keeps_its_recipe(bundles):
    folder, data = bundles / "bundle0", bundles / "animals.csv"
    before = command("explain", "--model", folder, data, "--recipe", "tuned")
    assert "run relprop tune BUNDLE DATA first" in before.stderr
    result = tune(folder, data, "--recipes", 3, "--out", bundles / "out")
    assert result.exit_code == 0, result.output
    bundle = relprop.load(folder)
    assert bundle.tuned == relprop.Recipe.from_toml((bundles / "out" / RECIPE).read_text())
    row = {"age": 3.0, "colour": "black", "seen": "2024-02-01"}
    tuned, same = bundle.explain(row, recipe="tuned"), bundle.explain(row, recipe=bundle.tuned)
    assert tuned.relevance.equal(same.relevance)
    words = ("--recipe", "tuned", "--curves", 0, "--out", bundles / "explained", "--quiet")
    assert command("explain", "--model", folder, data, *words).exit_code == 0
    assert relprop.load(bundles / "bundle1").tuned is None


def test_a_new_fit_forgets_the_recipe_of_earlier_weights(bundles):
    folder = bundles / "bundle1"
    (folder / "tuned.toml").write_text(relprop.Recipe.preset("gamma").to_toml())
    assert relprop.load(folder).tuned == relprop.Recipe.preset("gamma")
    made.write_two(bundles, **SMALL)
    assert relprop.load(folder).tuned is None


def test_a_damaged_recipe_of_a_bundle_is_an_error(bundles):
    (bundles / "bundle1" / "tuned.toml").write_text("rows = 3")
    with pytest.raises(relprop.RelpropError):
        relprop.load(bundles / "bundle1")
    (bundles / "bundle1" / "tuned.toml").unlink()


@pytest.mark.slow
def test_classes_have_their_names(bundles):
    words = (bundles / "bundle1", bundles / "animals.csv", "--recipes", 1, "--out")
    assert tune(*words, bundles / "named").exit_code == 0
    assert "By class" in (bundles / "named" / PAGE).read_text()
    assert any(name in (bundles / "named" / PAGE).read_text() for name in made.ANIMALS)


@pytest.mark.slow
def test_texts_are_tuned_by_deleting_tokens(home, tmp_path):
    lines = [json.dumps({"text": "a unlikely film a film a unlikely"})] * 14
    (tmp_path / "texts.jsonl").write_text("\n".join(lines))
    model = f"{home / 'nets.py'}:Text"
    words = (model, tmp_path / "texts.jsonl", "--tokenizer", home / "tokenizer", "--recipes", 2)
    result = tune(*words, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    numbers = json.loads((tmp_path / "out" / NUMBERS).read_text())
    assert numbers["scores"][0]["fill"] == "delete"
    refused = tune(*words, "--fill", "mean", "--out", tmp_path / "other")
    assert "--fill for texts" in refused.stderr


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (("--objective", "auc"), "the objective 'auc'"),
        (("--fill", "grey"), "fill='grey'"),
        (("--modules", "early"), "--modules early"),
        (("--modules", "early=stem*"), "the group 'early'"),
        (("--masks", "absent.npy"), "the masks absent.npy cannot be read"),
        (("--samples", "5"), "5 samples to tune on"),
        (("--recipe", "gamma"), "No such option"),
    ],
)
def test_bad_input_is_refused(home, tmp_path, words, given):
    model = f"{home / 'nets.py'}:Net"
    result = tune(model, home / "pictures", *words, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert given in result.stderr
    assert not (tmp_path / "out" / RECIPE).exists()


@pytest.mark.slow
def test_masks_are_read(home, tmp_path):
    import numpy as np

    masks = np.zeros((12, 8, 8), bool)
    masks[:, 2:6, 2:6] = True
    np.save(tmp_path / "masks.npy", masks)
    words = (f"{home / 'nets.py'}:Net", home / "pictures", "--masks", tmp_path / "masks.npy")
    result = tune(
        *words, "--objective", "localisation", "--recipes", 2, "--out", tmp_path / "o", "--json"
    )
    assert result.exit_code == 0, result.output
    assert [one["measure"] for one in json.loads(result.stdout)["scores"]] == ["localisation"]


def test_a_bundle_of_a_value_is_refused(tmp_path):
    from relprop.bundles.write import write_bundle

    dataset = made.table(made.value())
    write_bundle(tmp_path / "bundle", made.content_of(dataset, "mlp", **SMALL))
    dataset.samples.assign(weight=1.0).to_csv(tmp_path / "rows.csv", index=False)
    result = tune(tmp_path / "bundle", tmp_path / "rows.csv", "--out", tmp_path / "out")
    assert "which predicts a value" in result.stderr
