"""Applies the operations of RandAugment to a batch on its device, to each image its own.

Cubuk, Zoph, Shlens, Le, "RandAugment", NeurIPS 2020. Pixels come out as those of torchvision's functions of
the same names; :data:`RANGES` are those of FixMatch (Sohn et al., NeurIPS 2020), which the code of MLKD and
CRLD has. Shape legend: B images, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

RANGES: Mapping[str, tuple[float, float]] = {
    "identity": (0, 0),
    "autocontrast": (0, 0),
    "equalize": (0, 0),
    "brightness": (0.05, 0.95),
    "color": (0.05, 0.95),
    "contrast": (0.05, 0.95),
    "sharpness": (0.05, 0.95),
    "posterize": (4, 8),
    "solarize": (0, 256),
    "rotate": (-30, 30),
    "shear_x": (-0.3, 0.3),
    "shear_y": (-0.3, 0.3),
    "translate_x": (-0.3, 0.3),
    "translate_y": (-0.3, 0.3),
}
"""What the magnitude of each operation lies between: a factor (1 leaves the image), bits that stay, the first
value that is inverted, degrees, pixels to the side for each down, a share of the side (whole pixels)."""

OPERATIONS = tuple(RANGES)
_GRAY = (0.2989, 0.587, 0.114)


def distorted(images: Tensor, operation: Tensor, magnitude: Tensor) -> Tensor:
    """Return each image after one operation, which leaves black where nothing of the image is shown.

    >>> images = torch.full((2, 3, 4, 4), 200, dtype=torch.uint8)
    >>> chosen = torch.tensor([OPERATIONS.index("brightness"), OPERATIONS.index("solarize")])
    >>> distorted(images, chosen, torch.tensor([0.5, 128.0]).double())[:, 0, 0, 0].tolist()
    [100, 55]

    Args:
        images: [B,3,H,W] uint8.
        operation: [B] int64, positions in :data:`OPERATIONS`.
        magnitude: [B] float64.

    Returns:
        The shape of ``images``, uint8.
    """
    chosen = {name: operation == place for place, name in enumerate(OPERATIONS)}
    images = _blended(images, chosen, magnitude)
    bits = torch.where(chosen["posterize"], magnitude, 8.0).long()
    images = images & _wide(-(2 ** (8 - bits)) & 255).to(torch.uint8)
    first = _wide(torch.where(chosen["solarize"], magnitude, 256.0)).float()
    images = torch.where(images >= first, 255 - images, images)
    images = torch.where(_wide(chosen["autocontrast"]), _stretched(images), images)
    images = torch.where(_wide(chosen["equalize"]), _equalized(images), images)
    return _moved(images, chosen, magnitude)


def _wide(values: Tensor) -> Tensor:
    """Return a number for each image, [B], as [B,1,1,1]."""
    return values[:, None, None, None]


def _blended(images: Tensor, chosen: Mapping[str, Tensor], factor: Tensor) -> Tensor:
    """Return factor * image + (1 - factor) * what is left of it: black, gray, one gray, or a blur."""
    red, green, blue = images.float().unbind(1)
    gray = (_GRAY[0] * red + _GRAY[1] * green + _GRAY[2] * blue).to(torch.uint8).float()[:, None]
    left = torch.where(_wide(chosen["color"]), gray, 0.0)
    left = torch.where(_wide(chosen["contrast"]), gray.mean(dim=(1, 2, 3), keepdim=True), left)
    left = torch.where(_wide(chosen["sharpness"]), _blurred(images), left)
    blends = chosen["brightness"] | chosen["color"] | chosen["contrast"] | chosen["sharpness"]
    factor = _wide(torch.where(blends, factor, 1.0))
    return (factor.float() * images + (1 - factor).float() * left).clamp(0, 255).to(torch.uint8)


def _blurred(images: Tensor) -> Tensor:
    """Return means of 3 x 3 pixels, of which the middle one counts five times; the border stays."""
    pixels = images.float()
    sums = 9 * F.avg_pool2d(pixels, 3, stride=1) + 4 * pixels[..., 1:-1, 1:-1]
    blurred = pixels.clone()
    blurred[..., 1:-1, 1:-1] = (sums / 13).round()
    return blurred


def _stretched(images: Tensor) -> Tensor:
    """Return each channel with its darkest pixel at 0 and its lightest at 255, or as it is if all are one."""
    low, high = (end((2, 3), keepdim=True).float() for end in (images.amin, images.amax))
    flat = low == high
    scale = 255 / torch.where(flat, 255.0, high - low)
    return ((images - torch.where(flat, 0.0, low)) * scale).clamp(0, 255).to(torch.uint8)


def _equalized(images: Tensor) -> Tensor:
    """Return each channel with its values spread so that as many pixels have each."""
    values = images.flatten(2).long()
    counts = torch.zeros(*values.shape[:2], 256, dtype=torch.int64, device=images.device)
    counts.scatter_add_(2, values, torch.ones_like(values))
    of_last = counts.gather(2, values.amax(2, keepdim=True))
    step = (values.shape[2] - of_last) // 255
    spread = (counts.cumsum(2) + step // 2) // step.clamp(min=1)
    table = F.pad(spread, (1, 0))[..., :-1].clamp(0, 255)
    found = torch.where(step > 0, table.gather(2, values), values)
    return found.to(torch.uint8).view(images.shape)


def _moved(images: Tensor, chosen: Mapping[str, Tensor], magnitude: Tensor) -> Tensor:
    """Return images rotated, sheared or shifted, each pixel the nearest one of where it comes from."""
    height, width = images.shape[2:]
    rows, columns = (
        torch.arange(side, dtype=torch.float64, device=images.device) for side in (height, width)
    )
    y, x = rows[None, :, None] - (height - 1) / 2, columns[None, None, :] - (width - 1) / 2

    def of(name: str, value: Tensor, otherwise: float = 0.0) -> Tensor:
        return torch.where(chosen[name], value, otherwise)[:, None, None]

    angle = torch.deg2rad(magnitude)
    cosine, sine = of("rotate", angle.cos(), 1.0), of("rotate", angle.sin())
    slant_x, slant_y = of("shear_x", magnitude), of("shear_y", magnitude)
    shift_x = of("translate_x", (magnitude * width).trunc())
    shift_y = of("translate_y", (magnitude * height).trunc())
    column = cosine * x - sine * y + slant_x * (y + height / 2) - shift_x + (width - 1) / 2
    row = sine * x + cosine * y + slant_y * (x + width / 2) - shift_y + (height - 1) / 2
    column, row = column.round().long(), row.round().long()
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    pixels = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
    found = images.flatten(2).gather(2, pixels.flatten(1)[:, None].expand(-1, images.shape[1], -1))
    shown: Tensor = found.view(images.shape) * inside[:, None]
    return shown
