from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.models.multiscale import (
    pool_regions,
    pooling_commutes,
    region_logits,
    regions_from_cells,
    released_regions,
)


def slow_regions(features: Tensor, linear: nn.Linear, scales: tuple[int, ...]) -> Tensor:
    """Eqs. 6 and 7 to the letter: the logit map first, then the average over each cell."""
    logit_map = torch.einsum("bchw,kc->bkhw", features, linear.weight) + linear.bias[:, None, None]
    cells = [F.adaptive_avg_pool2d(logit_map, m).flatten(2) for m in scales]
    return torch.cat(cells, dim=2).transpose(1, 2)


@pytest.mark.parametrize("size", [(8, 8), (4, 4), (2, 2), (1, 1), (7, 7), (14, 14), (6, 9), (12, 8)])
@pytest.mark.parametrize("scales", [(1,), (1, 2), (1, 2, 4), (4, 1, 2), (2, 3), (1, 3)])
def test_pooling_first_equals_the_average_of_the_logit_map(
    size: tuple[int, int], scales: tuple[int, ...]
) -> None:
    linear = nn.Linear(6, 5)
    features = torch.randn(3, 6, *size)
    regions = region_logits(features, linear, scales)
    assert regions.shape == (3, sum(m * m for m in scales), 5)
    torch.testing.assert_close(regions, slow_regions(features, linear, scales))


def test_the_mean_of_the_cells_is_the_global_logit_where_the_grid_divides_the_map() -> None:
    regions = region_logits(torch.randn(3, 6, 8, 8), nn.Linear(6, 5), (1, 2, 4))
    torch.testing.assert_close(regions[:, 1:5].mean(1), regions[:, 0])
    torch.testing.assert_close(regions[:, 5:].mean(1), regions[:, 0])


def test_cells_go_row_by_row() -> None:
    features = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).expand(1, 1, 2, 2)
    assert pool_regions(features, (2, 1)).flatten().tolist() == [1, 2, 3, 4, 2.5]
    doubled = pool_regions(features, (4,)).reshape(4, 4)
    assert doubled.tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]


def test_gradients_are_those_of_the_definition() -> None:
    linear = nn.Linear(6, 5)
    features = torch.randn(2, 6, 8, 8, requires_grad=True)
    weights = torch.randn(2, 21, 5)
    (ours,) = torch.autograd.grad((region_logits(features, linear, (1, 2, 4)) * weights).sum(), features)
    (theirs,) = torch.autograd.grad((slow_regions(features, linear, (1, 2, 4)) * weights).sum(), features)
    torch.testing.assert_close(ours, theirs)


def test_cells_of_the_finest_scale_give_all_coarser_ones() -> None:
    linear = nn.Linear(6, 5)
    features = torch.randn(3, 6, 8, 8)
    cells = region_logits(features, linear, (4,))
    for scales in ((1, 2, 4), (4, 1), (2, 4)):
        torch.testing.assert_close(regions_from_cells(cells, scales), region_logits(features, linear, scales))


@pytest.mark.parametrize("scales", [(1, 2), (1, 3, 4)])
def test_cells_that_do_not_give_the_scales_are_refused(scales: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="16 cells do not give the scales"):
        regions_from_cells(torch.randn(3, 16, 5), scales)


@pytest.mark.parametrize("size", [(8, 8), (2, 2), (7, 7), (14, 14)])
@pytest.mark.parametrize("scales", [(1,), (1, 2), (4, 2, 1), (2,)])
def test_released_regions_are_pooled_from_4x4_cells(size: tuple[int, int], scales: tuple[int, ...]) -> None:
    linear, features = nn.Linear(6, 5), torch.randn(3, 6, *size)
    cells = F.adaptive_avg_pool2d(features, 4)
    ordered = [*([1] if 1 in scales else []), *(scale for scale in scales if scale != 1)]
    expected = [linear(features.mean((2, 3)))[:, None]]
    expected += [linear(F.adaptive_avg_pool2d(cells, m).flatten(2).transpose(1, 2)) for m in ordered]
    found = released_regions(region_logits(features, linear, (1, 4)), scales)
    torch.testing.assert_close(found, torch.cat(expected, dim=1))
    if 1 in scales:
        assert torch.allclose(found[:, 0], found[:, 1], atol=1e-5) == (size in [(8, 8), (2, 2)])


def test_a_scale_set_is_checked() -> None:
    with pytest.raises(ValueError, match="distinct"):
        region_logits(torch.randn(1, 6, 4, 4), nn.Linear(6, 5), (1, 1))


def test_pooling_commutes_with_a_linear_layer_only() -> None:
    assert pooling_commutes(nn.Linear(2, 3))
    assert not pooling_commutes(nn.Sequential(nn.LayerNorm(2), nn.Linear(2, 3)))
