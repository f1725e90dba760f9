"""`relprop.tune` as users call it."""

import pytest
import torch
from torch import nn

import relprop
from relprop.errors import InputError
from relprop.evaluate import paired_test, patches, removal_curves

torch.manual_seed(0)
MODEL = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 3))
MODEL = MODEL.double().eval()
X = torch.randn(80, 8, dtype=torch.float64)
GRADIENTS = {"gradient-x-input", "integrated-gradients", "smoothgrad"}


@pytest.fixture(scope="module")
def tuned():
    return relprop.tune(MODEL, X, trials=12, steps=8, fill="mean", other_fills=["zero"])


def report_rows():
    from relprop.tuning.parts import divide_samples

    return divide_samples(MODEL(X).argmax(1), 80, seed=0)


def test_scores_are_those_of_the_report_samples(tuned):
    parts = report_rows()
    x = X[parts.report]
    methods = {"tuned": relprop.Method(relprop.Explainer(MODEL, tuned.recipe))}
    methods["gamma"] = relprop.Method(relprop.Explainer(MODEL, "gamma"))
    fill = X[parts.search].mean(0)
    curves = removal_curves(MODEL, x, methods, fill=fill, steps=8)
    expected = paired_test(curves["tuned"].srg.double(), curves["gamma"].srg.double())
    assert tuned.gains["gamma"].difference.mean == pytest.approx(expected.difference.mean, abs=1e-9)
    assert tuned.scores[0].tuned.mean == pytest.approx(curves["tuned"].srg.mean().item(), abs=1e-9)


def test_every_preset_and_gradient_method_is_compared(tuned):
    from relprop.recipes.presets import PRESETS

    compared = set(tuned.gains) | set(tuned.left_out)
    assert compared == (set(PRESETS) - {"auto"}) | GRADIENTS
    assert tuned.left_out == {}


def test_other_fills_are_reported_after_those_tuned_for(tuned):
    assert [(one.fill, one.tuned_for) for one in tuned.scores] == [("mean", True), ("zero", False)]


def test_the_recipe_can_be_written_and_read(tuned):
    again = relprop.Recipe.from_toml(tuned.recipe.to_toml())
    assert again == tuned.recipe
    assert tuned.to_dict()["recipe"] == tuned.recipe.to_toml()
    assert tuned.verdict in str(tuned)


def test_a_seed_decides(tuned):
    again = relprop.tune(MODEL, X, trials=12, steps=8, fill="mean", other_fills=["zero"])
    assert again.to_dict() == tuned.to_dict()


@pytest.mark.slow
def test_the_worst_of_several_fills_counts():
    both = relprop.tune(MODEL, X, trials=3, steps=4, fill=("mean", "zero"), blocks=1)
    assert [one.tuned_for for one in both.scores] == [True, True]


def test_several_objectives_give_a_front():
    tuned = relprop.tune(MODEL, X, trials=8, steps=4, objective=("srg", "sparseness"))
    assert tuned.objectives == ("srg", "sparseness")
    for one in tuned.front:
        others = (other.scores for other in tuned.front if other is not one)
        assert not any(all(a > b for a, b in zip(o, one.scores, strict=True)) for o in others)
    assert len({one.scores for one in tuned.front}) == len(tuned.front)
    assert tuned.origin in [one.name for one in tuned.front]


def test_the_model_is_left_as_it_was():
    before = {name: value.clone() for name, value in MODEL.state_dict().items()}
    relprop.tune(MODEL, X, trials=2, steps=4)
    assert all(torch.equal(before[name], value) for name, value in MODEL.state_dict().items())
    assert not any(module._forward_hooks for module in MODEL.modules())


@pytest.mark.slow
def test_token_ids_are_compared_with_the_gradient_alone():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(24, 3)).eval()
    tuned = relprop.tune(model, torch.randint(1, 9, (48, 6)), trials=2, steps=3)
    assert "gradient-x-input" in tuned.gains
    assert set(tuned.left_out) == {"epsilon-gamma-box", "integrated-gradients", "smoothgrad"}


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ({"trials": 0}, "trials=0"),
        ({"blocks": 0}, "blocks=0"),
        ({"fill": []}, "no fill"),
        ({"fill": "mean", "other_fills": ["mean"]}, "the fill 'mean' among"),
        ({"groups": {"first layer": "0"}}, "a group called 'first layer'"),
        ({"objective": "auc"}, "the objective 'auc'"),
        ({"fill": "grey"}, "fill='grey'"),
        ({"groups": {"all": "layer9"}}, "the group 'all'"),
        ({"masks": torch.ones(3, 8), "objective": "localisation"}, "masks of 3 samples for 80"),
        ({"masks": torch.ones(80, 9), "objective": "localisation"}, r"mask of shape \(80, 9\)"),
        ({"masks": torch.ones(80, 8), "objective": "localisation"}, "mask"),
        ({"steps": 9}, "steps=9"),
        ({"other_fills": ["grey"]}, "fill='grey'"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_searched(options, given, tmp_path):
    with pytest.raises(InputError, match=given):
        relprop.tune(MODEL, X, **{"steps": 8, "folder": tmp_path / "search", **options})
    assert not (tmp_path / "search").exists()


def test_a_model_without_classes_is_refused():
    with pytest.raises(InputError):
        relprop.tune(nn.Linear(8, 1).double().eval(), X, trials=1)


def test_samples_that_are_not_finite_are_refused():
    x = X.clone()
    x[3, 2] = float("nan")
    with pytest.raises(InputError):
        relprop.tune(MODEL, x, trials=1, steps=4)


def test_token_ids_have_no_stability_and_nothing_is_searched(tmp_path):
    model = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(24, 3)).eval()
    x = torch.randint(1, 9, (48, 6))
    options = {"objective": ("srg", "stability"), "folder": tmp_path / "search"}
    with pytest.raises(InputError, match="stability"):
        relprop.tune(model, x, trials=1, steps=3, **options)
    assert not (tmp_path / "search").exists()


def test_the_verdict_is_that_of_the_worst_fill():
    tuned = relprop.tune(MODEL, X, trials=3, steps=4, fill=("mean", "zero"), blocks=1)
    assert tuned.decisive.tuned.mean == min(one.tuned.mean for one in tuned.scores)
    assert tuned.gains["gamma"] in [m.gain for m in tuned.decisive.methods]


@pytest.mark.parametrize("changed", ["masks", "model", "fill", "function", "units"])
def test_a_journal_of_another_setting_is_refused(changed, tmp_path):
    torch.manual_seed(0)
    layers = [nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3)]
    x, masks = torch.randn(24, 1, 4, 4), torch.zeros(24, 4, 4, dtype=torch.bool)
    masks[:, :2] = True
    objective = "localisation" if changed == "masks" else "srg"
    common = {"trials": 1, "steps": 4, "folder": tmp_path, "objective": objective}
    one = {"masks": masks, "fill": {"own": torch.zeros(1, 4, 4)}}
    if changed == "function":
        one["fill"] = {"own": lambda x, removed, generator: torch.zeros_like(x)}
    relprop.tune(nn.Sequential(*layers).eval(), x, **common, **one)
    other = {**one}
    if changed == "masks":
        other["masks"] = ~masks
    if changed == "fill":
        other["fill"] = {"own": torch.ones(1, 4, 4)}
    if changed == "function":
        other["fill"] = {"own": lambda x, removed, generator: torch.ones_like(x)}
    if changed == "units":
        other["units"] = patches(2)
    if changed == "model":
        layers[2] = nn.GELU()
    with pytest.raises(InputError, match="another model, other samples or other options"):
        relprop.tune(nn.Sequential(*layers).eval(), x, **common, **other)


class ChannelsLast(nn.Module):
    """Takes (n, h, w, channels), so that bounds by the second dimension fit no channel."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3), nn.Linear(36, 3)

    def forward(self, x):
        return self.b(self.a(x.permute(0, 3, 1, 2)).relu().flatten(1))


def test_a_preset_that_fails_when_it_runs_is_left_out_with_its_reason():
    torch.manual_seed(0)
    tuned = relprop.tune(ChannelsLast().eval(), torch.rand(40, 5, 5, 3), trials=4, steps=4)
    why = "a z-box bound of shape (5, 1, 1) for a sample of shape (3, 5, 5)"
    assert tuned.left_out == {"epsilon-gamma-box": why}
    assert tuned.to_dict()["left_out"] == {"epsilon-gamma-box": why}
    assert f"  epsilon-gamma-box: {why}" in str(tuned).splitlines()
    assert {"epsilon", "gamma"} <= set(tuned.presets) == set(tuned.gains) - GRADIENTS
    assert "epsilon-gamma-box" not in tuned.gains
