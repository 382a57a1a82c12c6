"""Crops and flips a whole batch of images at once, by view.

A view is one of finitely many augmentations (:class:`trainables.data.raw.CropFlipViews`), known by its id, so
that what a network made of it can be kept under (index, view) and the view be made again.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.raw import CropFlipViews


def apply_view(images: Tensor, view: Tensor, views: CropFlipViews, mean: Tensor, std: Tensor) -> Tensor:
    """Return the given view of each image: padded with zeros, cropped, flipped, then normalised.

    The crop is as large as the image, less ``views.cut`` a side.

    Args:
        images: [B,H,W,3] uint8.
        view: [B] int64, ids in ``range(views.count)``.
        mean, std: [3] float32, of pixels in [0, 1].

    Returns:
        [B,3,H - cut,W - cut] float32.
    """
    if views.count == 1:
        return normalise(images, mean, std)
    height, width = views.shown_size(*images.shape[1:3])
    padding, side = views.padding, views.side
    offset = view // 2 if views.flip else view
    padded = F.pad(images.permute(0, 3, 1, 2), (padding, padding, padding, padding))
    rows = (offset // side)[:, None] + torch.arange(height, device=view.device)
    across = torch.arange(width, device=view.device)
    if views.flip:
        across = torch.where((view % 2 == 1)[:, None], width - 1 - across, across)
    columns = (offset % side)[:, None] + across
    pixels = (rows[:, :, None] * padded.shape[3] + columns[:, None, :]).flatten(1)
    cropped = padded.flatten(2).gather(2, pixels[:, None].expand(-1, 3, -1))
    return normalise_planes(cropped.view(-1, 3, height, width), mean, std)


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Normalise images, [B,H,W,3] uint8 -> [B,3,H,W] float32."""
    return normalise_planes(images.permute(0, 3, 1, 2).contiguous(), mean, std)


def normalise_planes(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Normalise images, [B,3,H,W] uint8 -> float32, as torchvision's ``ToTensor`` and ``Normalize`` do."""
    return images.float().div_(255).sub_(mean[:, None, None]).div_(std[:, None, None])


def pixels_of(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Return what :func:`normalise_planes` was given, [B,3,H,W] float32 -> uint8; blends are rounded.

    >>> one, pixels = torch.tensor([0.3, 0.4, 0.5]), torch.arange(192, dtype=torch.uint8).view(1, 3, 8, 8)
    >>> bool((pixels_of(normalise_planes(pixels, one, one), one, one) == pixels).all())
    True
    """
    planes = images * std[:, None, None] + mean[:, None, None]
    return (planes * 255).round().clamp(0, 255).to(torch.uint8)
