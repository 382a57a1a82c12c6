r"""Computes region logits: the output of any pool-then-linear classifier, decoupled over scales.

Wei, Luo, Luo, "Scale Decoupled Distillation", CVPR 2024 (arXiv 2403.13512), eqs. 2-7. With the last feature
map f [C, h, w], the classifier W [K, C] with bias b and the cell n of an m x m grid,

.. math:: \pi(m, n) = W \, \mathrm{mean}_{(j,k) \in n} f_{jk} + b .

Pooling and a linear classifier commute, so pooling comes first and one matrix product serves all regions.

Shape suffixes: B images, C channels, h and w the map's size, K classes, R regions (sum of m*m over scales).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.config.method import RELEASED_GRID
from trainables.config.scales import check_scales, region_count

__all__ = ["pool_regions", "pooling_commutes", "region_logits", "regions_from_cells", "released_regions"]


def region_logits(
    features: Tensor,
    classifier: Callable[[Tensor], Tensor],
    scales: Sequence[int],
    token: Tensor | None = None,
) -> Tensor:
    """Compute the logits of every region of every scale.

    Args:
        features: last feature map before global pooling, [B, C, h, w].
        classifier: maps [..., C] to [..., K]; a model's ``.classifier``.
        scales: grid sizes m, positive and distinct, in the order wanted: (1, 2, 4) gives 1 + 4 + 16 regions.
        token: [B, C], the class token that stands at scale 1 for the map's average, where a network has one.

    Returns:
        [B, R, K]: the scales in the order given, each one's cells row by row.

    A map which m does not divide is cut as adaptive average pooling cuts it: cells overlap by a row, and a
    map smaller than the grid repeats cells (MobileNetV2's 2x2 map at scale 4), as in the published runs.

    >>> regions = region_logits(torch.ones(2, 8, 4, 4), nn.Linear(8, 10), (1, 2))
    >>> regions.shape
    torch.Size([2, 5, 10])
    """
    return classifier(pool_regions(features, check_scales(scales), token))


def pool_regions(features: Tensor, scales: Sequence[int], token: Tensor | None = None) -> Tensor:
    """Average each region: [B, C, h, w] -> [B, R, C], in :func:`region_logits`'s order.

    Where the finest grid divides the map, the coarser grids which divide it are averaged from its cells:
    equal up to rounding, and the map is read once.
    """
    finest = max(scales)
    cells = _pool(features, finest)
    nested = features.shape[2] % finest == 0 and features.shape[3] % finest == 0
    pooled = [
        cells if m == finest else _pool(cells if nested and finest % m == 0 else features, m) for m in scales
    ]
    if token is not None:
        pooled = [token[:, :, None, None] if m == 1 else grid for m, grid in zip(scales, pooled, strict=True)]
    return torch.cat([grid.flatten(2) for grid in pooled], dim=2).transpose(1, 2)


def regions_from_cells(cells: Tensor, scales: Sequence[int]) -> Tensor:
    """Compute all scales' logits from those of the finest one: [B, m*m, K] -> [B, R, K], m = max(scales).

    Exact (up to rounding) when m divides the map, every scale divides m, and :func:`pooling_commutes`.
    """
    finest = max(check_scales(scales))
    if cells.shape[1] != finest * finest or any(finest % m for m in scales):
        raise ValueError(
            f"{cells.shape[1]} cells do not give the scales {tuple(scales)}: needed are the "
            f"{finest * finest} cells of scale {finest}, and scales that divide it"
        )
    return pool_regions(cells.transpose(1, 2).reshape(len(cells), -1, finest, finest), scales)


def released_regions(regions: Tensor, scales: Sequence[int]) -> Tensor:
    """Pool regions as the released code does: coarser ones are averages of 4x4 cells, the global one too.

    Where 4 does not divide the map (7x7, 14x14) these cells overlap, and the average of all of them is not
    the average over the map. The logits of the whole image, which cross-entropy and accuracy take, stay
    those of the map.

    Args:
        regions: logits of the scales (1, 4), [B, 17, K].
        scales: positive divisors of 4.

    Returns:
        [B, 1 + R, K]: the logits of the whole image, then those of all regions; scale 1 first if it is there.

    >>> released_regions(torch.arange(17.0).reshape(1, 17, 1), (1, 2)).flatten().tolist()
    [0.0, 8.5, 3.5, 5.5, 11.5, 13.5]
    """
    ordered = sorted(scales, key=lambda scale: scale != 1)
    needed = ordered if RELEASED_GRID in ordered else [*ordered, RELEASED_GRID]
    cells = regions_from_cells(regions[:, 1:], needed)[:, : region_count(ordered)]
    return torch.cat([regions[:, :1], cells], dim=1)


def pooling_commutes(network: object) -> bool:
    """Tell whether averaged logits are the average's logits, of a classifier or of a network to scale 1.

    They are not where a norm precedes the linear layer, or where a class token stands for the whole image.
    """
    return bool(getattr(network, "commutes_with_pooling", isinstance(network, nn.Linear)))


def _pool(grid: Tensor, m: int) -> Tensor:
    """Pool adaptively by averages, [B, C, h, w] -> [B, C, m, m], with ops of deterministic gradients."""
    height, width = grid.shape[2:]
    if height % m == 0 and width % m == 0:
        return F.avg_pool2d(grid, (height // m, width // m))
    return _cut(_cut(grid, 2, m), 3, m)


def _cut(grid: Tensor, dim: int, m: int) -> Tensor:
    """Average `m` slices along `dim`: slice i goes from floor(i*size/m) to ceil((i+1)*size/m)."""
    size = grid.shape[dim]
    bounds = [(i * size // m, -(-(i + 1) * size // m)) for i in range(m)]
    return torch.stack([grid.narrow(dim, low, high - low).mean(dim) for low, high in bounds], dim)
