"""Strong views: drawn from (seed, epoch, image) alone, whatever the batch; the numbers are SplitMix64's."""

from __future__ import annotations

import pytest
import torch

from trainables.data.augment import pixels_of
from trainables.data.dataset import DataSet
from trainables.data.split import Batch
from trainables.data.strong_view import MOST_CUT, StrongViews, square


@pytest.fixture(scope="module")
def views(digits: DataSet) -> StrongViews:
    return StrongViews(*digits.train.normalisation)


def batch_of(data: DataSet, size: int = 50) -> Batch:
    return next(data.train.batches(size, epoch=1, seed=0))


def test_a_view_depends_on_seed_epoch_and_image_alone(digits: DataSet, views: StrongViews) -> None:
    batch = batch_of(digits)
    views.begin_epoch(seed=2, epoch=3)
    shown = views(batch)
    some = Batch(*(part[torch.arange(40, 10, -3)] for part in batch))
    assert torch.equal(views(some).images, shown.images[torch.arange(40, 10, -3)])
    for seed, epoch in ((2, 4), (3, 3)):
        views.begin_epoch(seed, epoch)
        assert not torch.equal(views(batch).images, shown.images)
    views.begin_epoch(seed=2, epoch=3)
    assert torch.equal(views(batch).images, shown.images)
    assert torch.equal(shown.target, batch.target)
    assert (shown.view == -1).all()


def test_most_images_are_distorted_and_stay_in_the_range_of_pixels(
    digits: DataSet, views: StrongViews
) -> None:
    batch, (mean, std) = batch_of(digits), digits.train.normalisation
    views.begin_epoch(seed=0, epoch=1)
    shown = views(batch).images
    assert shown.dtype == batch.images.dtype
    differ = (shown != batch.images).flatten(1).float().mean(1)
    assert (differ > 0).float().mean() > 0.9
    pixels = shown * std[:, None, None] + mean[:, None, None]
    assert pixels.min() > -1e-5
    assert pixels.max() < 1 + 1e-5


def test_pixels_are_found_again(digits: DataSet) -> None:
    shown = batch_of(digits).images
    mean, std = digits.train.normalisation
    again = pixels_of(shown, mean, std).float().div(255).sub(mean[:, None, None]).div(std[:, None, None])
    assert torch.equal(again, shown)


def test_what_is_cut_is_a_square_of_up_to_half_a_side() -> None:
    draws = torch.rand(200, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    cut = square(draws, torch.zeros(200, 3, 32, 32))
    assert cut.shape == (200, 1, 32, 32)
    rows, columns = (cut.any(dim).flatten(1).sum(1) for dim in (3, 2))
    assert rows.max() <= MOST_CUT * 32 + 1
    assert torch.equal(cut.flatten(1).sum(1), rows * columns)
    inside = (draws[:, 1:] - 0.5).abs().amax(1) < 0.25  # nothing of the square lies outside
    side = draws[:, 0] * MOST_CUT * 32
    assert ((rows - side).abs() <= 1)[inside].all()
    assert ((columns - side).abs() <= 1)[inside].all()
