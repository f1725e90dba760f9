"""What the script draws and says is what was computed."""

from dataclasses import replace

import torch

from relprop.demo.pictures import pictures_of
from relprop.demo.removal import DEMO_FILLS
from relprop.demo.viewer import (
    RAMP_COLOURS,
    RELEVANCE_STEPS,
    outline_path,
    scale_colours,
    viewer_data,
)
from relprop.plot.colours import relevance_colours


def test_the_values_are_those_of_the_examples(demo):
    data = viewer_data(demo)
    assert (data["side"], data["greys"]) == (5, {"zero": 0, "mean": round(255 * 3 / 25)})
    for digit, example in zip(data["digits"], demo.examples, strict=True):
        assert digit["pixels"] == (255 * example.pixels).flatten().tolist()
        assert digit["removed"] == {name: list(each) for name, each in example.removed.items()}
        assert set(digit["maps"]) == {
            *(f"map {name}" for name in example.by_recipe),
            *(f"map {name}" for name in example.by_network),
        }
        for name, relevance in example.by_recipe.items():
            map_ = digit["maps"][f"map {name}"]
            values = torch.tensor(map_["relevance"]) * map_["limit"] / RELEVANCE_STEPS
            torch.testing.assert_close(
                values, relevance.flatten(), rtol=0, atol=1 / RELEVANCE_STEPS
            )


def test_every_picture_has_its_words(demo):
    data = viewer_data(demo)
    for digit, example in zip(data["digits"], demo.examples, strict=True):
        for recipe in data["rules"]:
            for fill in DEMO_FILLS:
                for picture in pictures_of(example, recipe, fill, demo.table.greys):
                    words = digit["words"][picture.name]
                    assert (words["caption"], words["alt"]) == (picture.caption, picture.alt)


def test_the_scale_runs_from_against_to_for(demo):
    ramp = viewer_data(demo)["ramp"]
    ends = relevance_colours(torch.tensor([[-1.0, 0.0, 1.0]]), 1.0)[0, :, :3].tolist()
    assert [ramp[0], ramp[RAMP_COLOURS // 2], ramp[-1]] == ends
    assert scale_colours()[0] == "#" + "".join(f"{part:02x}" for part in ends[0])


def test_the_outline_is_a_path(demo):
    assert outline_path(demo.examples[0]).startswith("M1 0L1 1M2 0L2 1")


def test_a_run_without_examples_has_no_digits(demo):
    assert viewer_data(replace(demo, examples=()))["digits"] == []
