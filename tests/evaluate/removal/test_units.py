"""Units against maps written by hand, and what a curve removes of them."""

import pytest
import torch
from helpers.removal_models import weighted

from relprop.errors import InputError
from relprop.evaluate import (
    columns,
    entries,
    grouped,
    marginal,
    patches,
    pixels,
    ranking,
    removal_curve,
    superpixels,
    tokens,
    windows,
)

IMAGES = torch.zeros(2, 3, 3, 4)  # two of three channels, 3 x 4


# ---- maps ------------------------------------------------------------------------------


def test_a_pixel_has_all_its_channels():
    got = pixels(IMAGES)
    assert got.index.tolist() == [[[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]]]
    assert got.count.tolist() == [12]


def test_patches_at_the_border_may_be_smaller():
    got = patches(2)(torch.zeros(2, 1, 3, 5))
    assert got.index.tolist() == [[[[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]]]
    assert got.count.tolist() == [6]


def test_entries_stand_by_themselves():
    assert entries(torch.zeros(2, 2, 3)).index.tolist() == [[[0, 1, 2], [3, 4, 5]]]


def test_columns_go_in_the_groups_that_are_given():
    got = columns([0, 1, 1, -1])(torch.zeros(2, 4))
    assert got.index.tolist() == [[0, 1, 1, -1]]
    assert got.count.tolist() == [2]


def test_padding_is_no_token():
    got = tokens(torch.tensor([[1, 1, 1, 0], [0, 1, 1, 0]]))(torch.zeros(2, 4))
    assert got.index.tolist() == [[0, 1, 2, -1], [-1, 0, 1, -1]]
    assert got.count.tolist() == [3, 2]


def test_windows_are_of_one_channel_and_leave_padding_out():
    x = torch.zeros(2, 2, 5)
    whole = [[0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]
    assert windows(2)(x).index.tolist() == [whole]
    got = windows(2, torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]))(x)
    assert got.index.tolist() == [whole, [[0, 0, 1, -1, -1], [2, 2, 3, -1, -1]]]
    assert got.count.tolist() == [6, 4]


@pytest.mark.parametrize(
    ("make", "x", "expected"),
    [
        (
            lambda: windows(0),
            (2, 1, 4),
            ["windows of size 0", "a whole number >= 1", "windows(20)"],
        ),
        (lambda: windows(2), (2, 3), ["windows of x of shape (2, 3)", "series", "pass series"]),
        (
            lambda: windows(2, torch.ones(2, 3)),
            (2, 1, 4),
            ["a mask of shape (2, 3) for series of shape (2, 1, 4)", "(2, 4)", "of this batch"],
        ),
    ],
)
def test_windows_of_what_is_no_series_are_refused(make, x, expected):
    with pytest.raises(InputError) as error:
        make()(torch.zeros(x))
    assert all(part in str(error.value) for part in expected)


# ---- relevance of units ----------------------------------------------------------------


def test_relevance_of_a_unit_is_the_sum_over_its_entries():
    relevance = torch.arange(2 * 3 * 2 * 2.0).reshape(2, 3, 2, 2)
    got = pixels(relevance).aggregate(relevance, relevance)
    assert got.tolist() == [[12, 15, 18, 21], [48, 51, 54, 57]]  # 0 + 4 + 8, ...
    index = torch.tensor([[[[0, 0], [-1, 1]]]])
    assert grouped(index).aggregate(relevance, relevance).tolist() == [[27, 21], [99, 57]]


def test_samples_may_have_units_of_their_own():
    units = grouped(torch.tensor([[0, 0, 1], [1, 0, 2]]))
    relevance = torch.tensor([[1.0, 2, 4], [1, 2, 4]])
    assert units.aggregate(relevance, relevance).tolist() == [[3, 4, 0], [2, 1, 4]]


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 1, 3, 4), (2, 12)])
def test_relevance_may_come_without_channels_or_for_each_unit(shape):
    relevance = torch.randn(2, 12, generator=torch.Generator().manual_seed(0)).double()
    got = pixels(IMAGES).aggregate(relevance.reshape(shape), IMAGES)
    torch.testing.assert_close(got, relevance)


def test_relevance_of_a_token_is_the_sum_over_its_dimensions():
    x = torch.tensor([[[1.0, 2], [3, 4]]])
    got = tokens(torch.ones(1, 2))(x)
    assert got.aggregate(x, x).tolist() == [[3, 7]]
    torch.testing.assert_close(got.aggregate(torch.tensor([[5.0, 6]]), x), torch.tensor([[5.0, 6]]))


def test_relevance_of_tokens_is_enough_for_units_of_several():
    x = torch.zeros(1, 3, 2)
    pairs = grouped(torch.tensor([[[0], [0], [1]]]))
    assert pairs.aggregate(torch.tensor([[1.0, 2, 4]]), x).tolist() == [[3, 4]]


# ---- what a curve removes --------------------------------------------------------------


def test_a_curve_removes_whole_units():
    """Of three patches the most relevant goes first: the score falls by what is in it."""
    model, x = weighted(2, 2, 6, samples=3)
    contributions = x * model.w
    got = removal_curve(model, x, contributions, units=patches(2), steps=3, score="logit", target=0)
    inside = contributions.unfold(3, 2, 2).sum((1, 2, 4))  # (n, 3), an independent sum of patches
    kept = inside.sort(1).values.cumsum(1).flip(1)
    torch.testing.assert_close(got.scores[:, :3], kept)


def test_units_of_ones_own_may_differ_in_number():
    """Shares are of each sample's own units, and what is in none stays for good."""
    model, x = weighted(4, samples=2)
    index = torch.tensor([[0, 1, 2, 3], [0, 0, -1, 1]])
    got = removal_curve(
        model, x, x * model.w, units=grouped(index), steps=2, score="logit", target=0
    )
    assert got.counts.tolist() == [[0, 2, 4], [0, 1, 2]]
    first, second = x * model.w
    torch.testing.assert_close(got.scores[0, 1], first.sort().values[:2].sum())
    torch.testing.assert_close(got.scores[1, 1], second[2] + min(second[:2].sum(), second[3]))
    torch.testing.assert_close(got.scores[1, 2], second[2])
    settings = {"units": grouped(index), "steps": 2, "score": "logit", "target": 0}
    for batch_size in (1, 100):
        other = removal_curve(model, x, x * model.w, batch_size=batch_size, **settings)
        torch.testing.assert_close(got.scores, other.scores)


@pytest.mark.parametrize("order", ["morf", "lerf", "random"])
def test_every_order_leaves_units_that_do_not_exist_for_last(order):
    """The second sample has two units, one of them removed at half, in random order as well."""
    model, x = weighted(6, samples=20)
    index = torch.arange(6).repeat(20, 1)
    index[1::2] = torch.tensor([0, 0, 0, 1, 1, 1])
    got = removal_curve(
        *(model, x, x * model.w),
        **{"units": grouped(index), "order": order, "steps": 2, "score": "logit", "target": 0},
    )
    halves = (x * model.w)[1::2].reshape(10, 2, 3).sum(2)  # (10, 2)
    distance = (got.scores[1::2, 1:2] - halves).abs().amin(1)
    torch.testing.assert_close(distance, torch.zeros(10).double())


def test_a_given_order_may_name_units_that_a_sample_lacks():
    """The second sample has units 0 and 1 alone: of its order 3, 1, 2, 0 there is 1, 0."""
    model, x = weighted(4, samples=2)
    units, order = grouped(torch.tensor([[0, 1, 2, 3], [0, 0, 1, 1]])), [[0, 1, 2, 3], [3, 1, 2, 0]]
    settings = {"units": units, "steps": 2, "score": "logit", "target": 0}
    got = removal_curve(model, x, None, order=torch.tensor(order), **settings)
    first, second = x * model.w
    torch.testing.assert_close(got.scores[0, 1], first[2:].sum())
    torch.testing.assert_close(got.scores[1, 1], second[:2].sum())


def test_ties_are_those_of_units():
    model, x = weighted(1, 2, 4, samples=2)
    relevance = torch.tensor([[1.0, 1, 0, 2], [0, 0, 2, 0]]).expand(2, 1, 2, 4)
    assert removal_curve(model, x, relevance, units=patches(2), steps=2).ties.tolist() == [0, 0]
    assert removal_curve(model, x, relevance, steps=2).ties.tolist() == [8, 8]
    index = torch.tensor([[0, 1, 2, 3, 4, 5, 6, 7], [0, 0, 0, 0, 1, 1, 2, 2]])
    few = grouped(index.reshape(2, 1, 2, 4))
    got = removal_curve(model, x, relevance, units=few, steps=2)
    assert got.ties.tolist() == [8, 0]  # the second sample has 4, 0 and 2, and nothing beyond


# ---- tables ----------------------------------------------------------------------------


def test_a_table_s_groups_of_columns_become_another_row_s():
    """One-hot columns are removed as one, so that no row has two categories or none."""
    model, _ = weighted(5)
    gen = torch.Generator().manual_seed(0)
    categories = torch.randint(3, (40,), generator=gen)
    table = torch.cat([torch.rand(40, 2, generator=gen), torch.eye(3)[categories]], 1).double()
    seen = []
    model.register_forward_hook(lambda m, args, out: seen.append(args[0]))
    settings = {"units": columns([0, 1, 2, 2, 2]), "fill": marginal(table), "steps": 3}
    got = removal_curve(model, table[:10], table[:10] * model.w, batch_size=10, **settings)
    assert got.units.tolist() == [3]
    for rows in seen:
        assert (rows[:, 2:].sum(1) == 1).all()
    assert not seen[3][:, 2:].equal(table[:10, 2:])


# ---- bad input -------------------------------------------------------------------------


@pytest.mark.parametrize("index", [[[0, 2]], [[1, 2]], [[0, -2]], [[-1, -1]]])
def test_units_with_gaps_are_refused(index):
    with pytest.raises(InputError, match="not numbered 0, 1, 2"):
        grouped(torch.tensor(index))


@pytest.mark.parametrize("shape", [(3, 4), (1, 5), (1, 2, 2)])
def test_units_that_do_not_fit_the_batch_are_refused(shape):
    model, x = weighted(4, samples=2)
    units = grouped(torch.arange(torch.Size(shape[1:]).numel()).reshape(1, *shape[1:]))
    units = type(units)(units.index.expand(shape), units.count)
    with pytest.raises(InputError, match=r"units of shape .* for x of shape \(2, 4\)"):
        removal_curve(model, x, x, units=units, steps=2)


@pytest.mark.parametrize("make", [patches(2), pixels, superpixels(3)])
def test_pixels_are_of_pictures(make):
    with pytest.raises(InputError, match=r"of x of shape \(2, 4\)"):
        make(torch.zeros(2, 4))


def test_a_patch_has_a_size():
    with pytest.raises(InputError, match="patches of size 0"):
        patches(0)


def test_tokens_need_a_mask_of_their_shape():
    with pytest.raises(InputError, match=r"a mask of shape \(2, 3\) for tokens of shape \(2, 4\)"):
        tokens(torch.ones(2, 3))(torch.zeros(2, 4))


@pytest.mark.parametrize("shape", [(2, 5), (3, 4), (2, 2, 2)])
def test_relevance_of_another_shape_is_refused(shape):
    model, x = weighted(4, samples=2)
    with pytest.raises(InputError, match=r"relevance of shape .* for x of shape \(2, 4\)"):
        removal_curve(model, x, torch.zeros(shape), steps=2)


def test_the_order_of_units_is_a_permutation_of_them():
    model, x = weighted(2, 2, 4, samples=2)
    order = ranking(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))  # the right patch first, then the left
    got = removal_curve(
        model, x, None, target=0, order=order, units=patches(2), steps=2, score="logit"
    )
    terms = (x * model.w).sum((1, 2)).detach()  # of each column of the image
    left, right = terms[:, :2].sum(1), terms[:, 2:].sum(1)
    rest = torch.stack([left[0], right[1]])
    want = torch.stack([left + right, rest, torch.zeros(2).double()], 1)
    torch.testing.assert_close(got.scores, want)
