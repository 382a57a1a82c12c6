"""Crops of streamed images: torchvision's in distribution, each image's from its own numbers."""

from __future__ import annotations

import numpy as np
import torch
from torchvision.transforms import RandomResizedCrop

from trainables.data.crops import random_crops, uniform


def test_numbers_of_an_image_do_not_hang_on_the_others() -> None:
    index = np.array([3, 0, 1_281_166, 7])
    rows = uniform(5, 2, index)
    for at, position in enumerate(index):
        assert np.array_equal(rows[at : at + 1], uniform(5, 2, np.array([position])))
    for other in (uniform(5, 3, index), uniform(6, 2, index), uniform(2, 5, index)):
        assert not (rows == other).any()


def test_numbers_are_spread_evenly_and_hang_together_nowhere() -> None:
    draws = uniform(0, 1, np.arange(20_000))
    assert draws.min() >= 0
    assert draws.max() < 1
    assert np.abs(draws.mean(0) - 0.5).max() < 0.01
    assert np.abs(draws.std(0) - 12**-0.5).max() < 0.01
    assert np.abs(np.corrcoef(draws.T) - np.eye(draws.shape[1])).max() < 0.04
    assert abs(np.corrcoef(draws[1:, 0], draws[:-1, 0])[0, 1]) < 0.04


def test_numbers_stay_what_they_are() -> None:
    """A trial that goes on under another version sees the images it would have seen."""
    numbers = (uniform(1, 2, np.array([3]))[0, :3] * 2**53).astype(int).tolist()
    assert numbers == [7752112854871014, 8603989909225682, 615052620134716]


def test_crops_are_within_the_image_and_like_torchvisions() -> None:
    count = 4000
    height, width = 300, 500
    crops = random_crops(np.tile([height, width], (count, 1)), uniform(3, 1, np.arange(count)))
    top, left, high, wide = crops.boxes.T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + high <= height).all()
    assert (left + wide <= width).all()
    torch.manual_seed(0)
    image = torch.empty(3, height, width)
    theirs = np.array(
        [RandomResizedCrop.get_params(image, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(count)]
    )
    for ours, their in zip(crops.boxes.T, theirs.T, strict=True):
        for share in (0.1, 0.3, 0.5, 0.7, 0.9):
            assert abs(np.quantile(ours, share) - np.quantile(their, share)) < 0.035 * width
    assert abs(crops.flips.mean() - 0.5) < 0.03


def test_a_shape_that_never_fits_gives_the_largest_crop_of_the_centre() -> None:
    sizes = np.array([[10, 1000], [1000, 10], [30, 40]])
    draws = uniform(0, 1, np.arange(3))
    draws[:, :10] = 0.999
    boxes = random_crops(sizes, draws).boxes
    torch.manual_seed(1)
    assert boxes[0].tolist() == [0, (1000 - 13) // 2, 10, 13]
    assert boxes[1].tolist() == [(1000 - 13) // 2, 0, 13, 10]
    assert boxes[2, 2] <= 30


def test_strength_is_how_much_a_crop_leaves_out() -> None:
    """At 1 crops are the usual ones; at 0 they are the centre square, never mirrored."""
    sizes, draws = np.tile([40, 40], (500, 1)), uniform(0, 1, np.arange(500))
    usual, half, none = (random_crops(sizes, draws, strength) for strength in (1.0, 0.5, 0.0))
    for ours, theirs in zip(random_crops(sizes, draws), usual, strict=True):
        assert np.array_equal(ours, theirs)
    assert usual.boxes[:, 2:].prod(1).min() < half.boxes[:, 2:].prod(1).min()
    assert half.boxes[:, 2:].prod(1).min() >= 0.5 * 1600
    assert abs(half.flips.mean() - 0.25) < 0.06
    assert (none.boxes == [0, 0, 40, 40]).all()
    assert not none.flips.any()
