"""Fits a token model's weights to another size of images or patches: its positions are interpolated."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.models.external import ExternalBackbone

__all__ = ["resized", "resized_positions"]

TORCHVISION_POSITIONS = "encoder.pos_embedding"
"""Key of the positions in torchvision's ViT: [1, 1 + h * w, C], the class token's first."""


def resized(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Return ``state`` with positions, and patches of another size, interpolated to those of ``network``.

    timm's networks have a function of their own for it, which is asked; torchvision's ViT gets what timm does
    to one. Nothing is touched where every shape fits; only positions and patches change their shapes.
    """
    kept = dict(state)
    own = network.state_dict()
    if not isinstance(network, ExternalBackbone) or not any(
        key in own and own[key].shape != value.shape for key, value in kept.items()
    ):
        return kept
    module = sys.modules.get(type(network.network).__module__)
    if (module.__name__ if module else "").startswith("timm."):
        fit: Callable[..., Any] | None = getattr(module, "checkpoint_filter_fn", None)
        return dict(fit(kept, network.network)) if fit is not None else kept
    if TORCHVISION_POSITIONS in kept and TORCHVISION_POSITIONS in own:
        cells = own[TORCHVISION_POSITIONS].shape[1] - 1
        kept[TORCHVISION_POSITIONS] = resized_positions(kept[TORCHVISION_POSITIONS], cells)
    return kept


def resized_positions(positions: Tensor, cells: int) -> Tensor:
    """Interpolate positions [1, 1 + n, C] of a square grid to ``cells`` of them; the class token's stays.

    Bicubic, antialiased, in float32, as timm does it.

    >>> resized_positions(torch.ones(1, 1 + 16, 8), 4).shape
    torch.Size([1, 5, 8])
    """
    first, grid = positions[:, :1], positions[:, 1:].float()
    before, after = math.isqrt(grid.shape[1]), math.isqrt(cells)
    planes = grid.reshape(1, before, before, -1).permute(0, 3, 1, 2)
    planes = F.interpolate(planes, size=(after, after), mode="bicubic", antialias=True)
    return torch.cat([first, planes.permute(0, 2, 3, 1).flatten(1, 2).to(first.dtype)], dim=1)
