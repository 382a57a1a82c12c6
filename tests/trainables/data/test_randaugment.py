"""Each operation against torchvision's of the same name, image by image."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode, RandAugment
from torchvision.transforms.autoaugment import _apply_op

from trainables.data.randaugment import OPERATIONS, RANGES, distorted

FACTORS = ("brightness", "color", "contrast", "sharpness")


def theirs(name: str) -> str:
    """torchvision's name of an operation."""
    return "".join(part.capitalize() for part in name.replace("autoc", "auto_c").split("_"))


def by_torchvision(image: Tensor, name: str, magnitude: float) -> Tensor:
    """The same operation as torchvision's RandAugment applies it, which counts factors from 1, and pixels."""
    if name in FACTORS:
        magnitude -= 1.0
    elif name.startswith("translate"):
        magnitude *= image.shape[2 if name.endswith("x") else 1]
    return _apply_op(image, theirs(name), magnitude, interpolation=InterpolationMode.NEAREST, fill=None)


def pictures(count: int, height: int = 32, width: int = 32) -> Tensor:
    """Smooth images of few values in some channels, so that histograms have gaps and ends."""
    draw = torch.Generator().manual_seed(count)
    coarse = torch.rand(count, 3, 5, 5, generator=draw) * torch.rand(count, 3, 1, 1, generator=draw)
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    noise = 0.1 * torch.rand(count, 3, height, width, generator=draw)
    return ((smooth + noise).clamp(0, 1) * 255).to(torch.uint8)


def magnitudes(name: str, count: int) -> Tensor:
    """Drawn ones, factors such that taking 1 off them and adding it again gives the same number."""
    low, high = RANGES[name]
    high = min(high, 255.0)  # torchvision takes no first value above, which would leave the image
    drawn = low + (high - low) * torch.rand(count, dtype=torch.float64)
    return 1.0 + (drawn - 1.0) if name in FACTORS else drawn


def test_the_operations_are_torchvisions() -> None:
    """Its posterize has the same bits, its factors and angles go as far, its shifts further."""
    space = RandAugment()._augmentation_space(31, (32, 32))
    assert {theirs(name) for name in OPERATIONS} == set(space)


@pytest.mark.parametrize("size", [(32, 32), (24, 40)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_torchvisions_image_by_image(name: str, size: tuple[int, int]) -> None:
    torch.manual_seed(len(name))
    images, strength = pictures(60, *size), magnitudes(name, 60)
    found = distorted(images, torch.full((60,), OPERATIONS.index(name)), strength)
    expected = [by_torchvision(*each) for each in zip(images, [name] * 60, strength.tolist(), strict=True)]
    assert torch.equal(found, torch.stack(expected))
    assert name == "identity" or not torch.equal(found, images)


def test_images_of_a_batch_have_operations_of_their_own() -> None:
    torch.manual_seed(1)
    images = pictures(10 * len(OPERATIONS))
    chosen = torch.arange(len(images)) % len(OPERATIONS)
    strength = torch.stack([magnitudes(OPERATIONS[place], 1)[0] for place in chosen.tolist()])
    found = distorted(images, chosen, strength)
    for image, place, magnitude, shown in zip(images, chosen.tolist(), strength.tolist(), found, strict=True):
        assert torch.equal(shown, by_torchvision(image, OPERATIONS[place], magnitude))


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("level", [0, 77, 255])
def test_images_of_one_value_have_no_contrast_to_stretch(name: str, level: int) -> None:
    images = torch.full((4, 3, 8, 8), level, dtype=torch.uint8)
    strength = magnitudes(name, 4)
    found = distorted(images, torch.full((4,), OPERATIONS.index(name)), strength)
    assert torch.equal(found[0], by_torchvision(images[0], name, strength[0].item()))


@pytest.mark.parametrize(
    ("name", "magnitude", "turned"),
    [
        ("rotate", 90.0, lambda image: image.rot90(1, (1, 2))),
        ("translate_x", 0.25, lambda image: torch.nn.functional.pad(image, (8, 0))[..., :32]),
        ("posterize", 4.9, lambda image: image // 16 * 16),
        ("solarize", 0.0, lambda image: 255 - image),
    ],
)
def test_what_an_operation_means(name: str, magnitude: float, turned: Callable[[Tensor], Tensor]) -> None:
    image = pictures(1)
    found = distorted(image, torch.tensor([OPERATIONS.index(name)]), torch.tensor([magnitude]).double())
    assert torch.equal(found[0], turned(image[0]))
