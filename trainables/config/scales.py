"""Checks scale sets: which m x m grids an image's logits are decoupled into (no torch needed).

Symbols: a *scale* m cuts the last feature map into m x m *cells*; the set M of scales gives
R = sum over m in M of m*m *regions*. M = (1,) is the ordinary, global output.

>>> check_scales([1, 2, 4]), region_count((1, 2, 4))
((1, 2, 4), 21)
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["check_scales", "region_count"]


def check_scales(scales: Iterable[int]) -> tuple[int, ...]:
    """Return `scales` as a tuple in their order; `ValueError` unless distinct positive ints, at least one."""
    if isinstance(scales, (str, bytes)) or not isinstance(scales, Iterable):
        raise ValueError(f"scales must be a sequence of ints such as (1, 2, 4), not {scales!r}")
    checked = tuple(scales)
    if not checked:
        raise ValueError("scales must name at least one scale; (1,) is the ordinary global output")
    for scale in checked:
        if isinstance(scale, bool) or not isinstance(scale, int) or scale < 1:
            raise ValueError(f"scales must be positive ints, and {scale!r} in {checked} is not one")
    if len(set(checked)) != len(checked):
        raise ValueError(f"scales must be distinct, and {checked} repeats one")
    return checked


def region_count(scales: Iterable[int]) -> int:
    """Return R, the number of regions: the sum of m*m over `scales`."""
    return sum(scale * scale for scale in scales)
