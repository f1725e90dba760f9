"""The grids of images: their order, captions and marks."""

from relprop.demo.grids import network_grid, removal_grid


def test_a_row_goes_from_the_original_to_the_removals(demo):
    grid = removal_grid(demo.examples)
    assert grid.columns == (
        *("Original", "Heatmap"),
        *("Most relevant removed", "Least relevant removed", "Random removed"),
    )
    images = grid.rows[0].images
    assert [image.caption[0] for image in images[:4]] == [
        *("predicted: 1", "for a 1", "predicted: 0 ✗", "predicted: 1")
    ]
    assert images[2].wrong
    assert not images[0].wrong
    assert images[2].pixels.equal(demo.examples[0].after["morf"].pixels)


def test_each_network_has_a_row_with_its_own_predictions(demo, card):
    rows = network_grid(demo.examples).rows
    assert [row.title for row in rows] == ["", card.name]
    assert rows[1].images[0].caption[0] == "predicted: 1"
