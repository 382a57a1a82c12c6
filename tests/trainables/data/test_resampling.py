"""Resizing on the host and on the device, beside Pillow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from trainables.data.resampling import centre, resized, resized_batch

SIZE = 32


def picture(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


SHAPES = [(32, 32), (64, 64), (20, 50), (63, 33), (1, 40), (7, 5), (47, 64)]


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_one_image_is_pillows_within_a_level(height: int, width: int) -> None:
    image = picture(height, width)
    theirs = np.asarray(Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    assert np.abs(resized(image, SIZE, SIZE).astype(int) - theirs).max() <= 1


def test_a_batch_is_what_its_images_are_by_themselves() -> None:
    images = [picture(*shape) for shape in SHAPES] * 10  # more than are resized at once
    pixels = torch.full(
        (len(images), 64, 64, 3), 255, dtype=torch.uint8
    )  # what is beside a crop must not count
    for row, image in enumerate(images):
        pixels[row, : image.shape[0], : image.shape[1]] = torch.from_numpy(image)
    sizes = torch.tensor([image.shape[:2] for image in images])
    flips = torch.arange(len(images)) % 3 == 0
    batch = resized_batch(pixels, sizes, flips, SIZE)
    assert batch.dtype == torch.uint8
    for image, flip, ours in zip(images, flips, batch, strict=True):
        alone = resized(image, SIZE, SIZE)
        expected = torch.from_numpy((alone[:, ::-1] if flip else alone).copy()).permute(2, 0, 1)
        assert (ours.int() - expected.int()).abs().max() <= 1
    same = sizes.eq(SIZE).all(1) & ~flips
    assert torch.equal(batch[same], pixels[same][:, :SIZE, :SIZE].permute(0, 3, 1, 2))


def test_the_centre_of_an_image_that_has_the_size_is_cut_out_of_it() -> None:
    image = picture(40, 52)
    assert np.array_equal(centre(image, resize=40, size=32), image[4:36, 10:42])
