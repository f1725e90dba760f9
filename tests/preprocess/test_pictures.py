"""Pictures made to what a model takes, against torchvision's transforms and by hand."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from relprop.errors import FileError, InputError
from relprop.preprocess import Pictures, read_picture

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (30, 45, 3), dtype="uint8")
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)


def test_the_whole_picture_is_resized_as_torchvision_does():
    steps = Pictures((20, 24), MEAN, STD, resampling="bicubic")
    mode = v2.InterpolationMode.BICUBIC
    theirs = v2.Compose(
        [
            v2.Resize((20, 24), interpolation=mode),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )
    image = Image.fromarray(COLOURS)
    torch.testing.assert_close(steps(image), theirs(image)[None].as_subclass(torch.Tensor))


@pytest.mark.parametrize("shape", [(30, 45), (45, 30), (30, 30)])
def test_the_middle_is_cut_out_after_the_shorter_side_is_resized(shape):
    image = Image.fromarray(RNG.integers(0, 256, (*shape, 3), dtype="uint8"))
    theirs = v2.Compose([v2.Resize(25), v2.CenterCrop(20), v2.PILToTensor()])(image)
    steps = Pictures((20, 20), resize=25)
    torch.testing.assert_close(steps.values(image) * 255, theirs.float())


def test_a_batch_of_paths_arrays_and_pictures(tmp_path):
    image = Image.fromarray(COLOURS)
    image.save(tmp_path / "a.png")
    steps = Pictures(None, MEAN, STD)
    want = torch.from_numpy(COLOURS).permute(2, 0, 1) / 255
    want = (want - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    batch = steps([tmp_path / "a.png", str(tmp_path / "a.png"), image, COLOURS, COLOURS / 255])
    assert batch.shape == (5, 3, 30, 45)
    for one in batch:
        torch.testing.assert_close(one, want)


def test_black_and_white_give_the_box_of_z_box():
    steps = Pictures(None, MEAN, STD)
    for values, bound in ((np.zeros((2, 2, 3)), steps.low), (np.ones((2, 2, 3)), steps.high)):
        torch.testing.assert_close(steps(values), bound.expand(3, 2, 2)[None])


MODES = {
    "L": lambda grey: Image.fromarray(grey),
    "1": lambda grey: Image.fromarray(grey > 127),
    "P": lambda grey: Image.fromarray(grey).convert("P"),
    "RGBA": lambda grey: Image.fromarray(grey).convert("RGBA"),
    "CMYK": lambda grey: Image.fromarray(grey).convert("RGB").convert("CMYK"),
    "I;16": lambda grey: Image.fromarray(grey.astype("uint16") * 257),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_is_read(mode, channels):
    grey = np.array([[0, 255], [255, 0]], dtype="uint8")
    image = MODES[mode](grey)
    assert image.mode == mode
    got = Pictures(None, (0.0,) * channels, (1.0,) * channels)(image)
    want = torch.from_numpy(grey / 255).float().expand(1, channels, 2, 2)
    torch.testing.assert_close(got, want, atol=0.02, rtol=0)


def test_an_animation_is_its_first_frame(tmp_path):
    frames = [Image.fromarray(np.full((3, 3), value, dtype="uint8")) for value in (250, 10)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    grey = Pictures(None, (0.0,), (1.0,))
    assert float(grey(tmp_path / "a.gif").mean()) == pytest.approx(250 / 255, abs=0.01)


def test_what_is_no_picture_is_refused(tmp_path):
    whole = tmp_path / "whole.png"
    Image.fromarray(COLOURS).save(whole)
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:200])
    (tmp_path / "text.png").write_text("no picture")
    for name, reason in (("cut.png", "truncated"), ("text.png", "cannot identify")):
        with pytest.raises(FileError, match=reason):
            read_picture(tmp_path / name)
    with pytest.raises(FileError, match="no such file"):
        read_picture(tmp_path / "none.png")


@pytest.mark.parametrize(
    ("picture", "given", "todo"),
    [
        (torch.ones(3, 4, 4), "a picture of type Tensor", "give the path"),
        (np.ones((3, 4, 4)), "a picture as an array of shape (3, 4, 4)", "write array.transpose"),
        (np.full((4, 4, 3), 7.0), "a picture as an array of float64 from 7.0 to 7.0", "write (arr"),
        (Image.new("F", (2, 2)), "a picture with 32-bit values, of mode F", "convert it"),
        ([], "an empty list of pictures", "give a picture"),
        ([np.ones((2, 2, 3)), np.ones((2, 3, 3))], "pictures of sizes 2 x 2, 2 x 3", "write size="),
    ],
)
def test_pictures_that_do_not_fit_are_refused(picture, given, todo):
    with pytest.raises(InputError) as error:
        Pictures(None)(picture)
    assert error.value.given.startswith(given)
    assert error.value.todo.startswith(todo)


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ({"mean": (0.5,)}, "1 mean values and 3 std values"),
        ({"std": (0.0, 1.0, 1.0)}, "std is [0.0, 1.0, 1.0]"),
        ({"resampling": "linear"}, "resampling is 'linear'"),
        ({"size": (4, 0)}, "size is (4, 0)"),
        ({"size": (8, 8), "resize": 4}, "resize is 4 for size (8, 8)"),
    ],
)
def test_arguments_that_are_wrong_are_refused(arguments, given):
    with pytest.raises(InputError) as error:
        Pictures(**{"size": None, **arguments})
    assert error.value.given == given
