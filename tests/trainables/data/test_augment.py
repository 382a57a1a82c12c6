"""A view, by its id, is what torchvision's pad, crop, flip, ToTensor and Normalize make."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms import functional

from trainables.data.augment import apply_view, normalise
from trainables.data.raw import CropFlipViews

MEAN, STD = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.25, 0.3])


def by_torchvision(image: torch.Tensor, view: int, views: CropFlipViews) -> torch.Tensor:
    """One image [H,W,3] uint8 in one view."""
    offset, flip = divmod(view, 2) if views.flip else (view, 0)
    top, left = divmod(offset, 2 * views.padding + 1 + views.cut)
    planes = functional.pad(image.permute(2, 0, 1), [views.padding])
    planes = functional.crop(planes, top, left, *views.shown_size(*image.shape[:2]))
    if flip:
        planes = functional.hflip(planes)
    normalised: torch.Tensor = functional.normalize(planes.float() / 255, MEAN.tolist(), STD.tolist())
    return normalised


@pytest.mark.parametrize(
    "views",
    [
        CropFlipViews(4, True),
        CropFlipViews(2, False),
        CropFlipViews(0, True),
        CropFlipViews(0, False),
        CropFlipViews(0, True, cut=4),
        CropFlipViews(1, False, cut=2),
    ],
)
def test_every_view_is_torchvisions(views: CropFlipViews) -> None:
    image = torch.randint(0, 256, (10, 12, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    ids = torch.arange(views.count)
    ours = apply_view(image.expand(views.count, -1, -1, -1), ids, views, MEAN, STD)
    theirs = torch.stack([by_torchvision(image, view, views) for view in ids.tolist()])
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    assert ours.is_contiguous()


@pytest.mark.parametrize(
    "views",
    [CropFlipViews(4, True), CropFlipViews(4, False), CropFlipViews(0, True), CropFlipViews(0, False)],
)
def test_the_plain_view_is_the_image_itself(views: CropFlipViews) -> None:
    images = torch.randint(0, 256, (3, 8, 8, 3), dtype=torch.uint8)
    plain = apply_view(images, torch.full((3,), views.plain), views, MEAN, STD)
    assert torch.equal(plain, normalise(images, MEAN, STD))


@pytest.mark.parametrize("views", [CropFlipViews(0, True, cut=4), CropFlipViews(2, False, cut=2)])
def test_the_plain_view_of_a_smaller_crop_is_the_centre(views: CropFlipViews) -> None:
    images = torch.randint(0, 256, (3, 10, 12, 3), dtype=torch.uint8)
    plain = apply_view(images, torch.full((3,), views.plain), views, MEAN, STD)
    centre = torch.stack(
        [functional.center_crop(image.permute(2, 0, 1), [10 - views.cut, 12 - views.cut]) for image in images]
    )
    assert torch.equal(plain, normalise(centre.permute(0, 2, 3, 1), MEAN, STD))
    assert torch.equal(torch.from_numpy(views.centred(images.numpy())), centre.permute(0, 2, 3, 1))


def test_cifar_has_162_views() -> None:
    assert CropFlipViews(padding=4, flip=True).count == 162
    assert CropFlipViews(padding=4, flip=False).count == 81


def test_images_are_left_as_they_are() -> None:
    images = torch.randint(0, 256, (3, 8, 8, 3), dtype=torch.uint8)
    before = images.clone()
    apply_view(images, torch.tensor([0, 5, 17]), CropFlipViews(1, True), MEAN, STD)
    assert torch.equal(images, before)
