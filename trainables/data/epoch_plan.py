"""Plans one pass over a split: which image comes when, in which view, in which batch.

A training epoch's plan is drawn from (seed, epoch) alone: epoch e is the same whether or not the run was
interrupted before, and whatever the device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainables.data.partition import shuffled
from trainables.data.raw import CropFlipViews

_ORDER, _VIEWS = 0, 1
"""Parts of the seed that say what is drawn."""


@dataclass(frozen=True, slots=True)
class EpochPlan:
    """Holds one worker's pass over a split.

    >>> evaluation(5, 2, view=0).sizes, training(5, 2, epoch=0, seed=1, views=2).sizes
    ([2, 2, 1], [2, 2])

    Attributes:
        rows: [n] int64, positions in the split, in the order of their use.
        views: [n] int64, view of each of ``rows``; the epoch where views are not counted, -1 in evaluation.
        sizes: number of images of each batch; they sum to n.
    """

    rows: NDArray[np.int64]
    views: NDArray[np.int64]
    sizes: list[int]

    def cut(self, batches: int) -> tuple[EpochPlan, EpochPlan]:
        """Return the first so many batches, and the rest.

        >>> [part.sizes for part in evaluation(5, 2, view=0).cut(2)]
        [[2, 2], [1]]
        """
        at = sum(self.sizes[:batches])
        first = EpochPlan(self.rows[:at], self.views[:at], self.sizes[:batches])
        return first, EpochPlan(self.rows[at:], self.views[at:], self.sizes[batches:])

    def whole(self, batch_size: int) -> int:
        """Count the batches of ``batch_size`` images at the beginning."""
        return next((n for n, size in enumerate(self.sizes) if size != batch_size), len(self.sizes))


def evaluation(size: int, batch_size: int, view: int, worker: tuple[int, int] = (0, 1)) -> EpochPlan:
    """Plan a pass over all images in order, in one view; a worker may get a batch fewer than another."""
    rows = np.arange(size, dtype=np.int64)
    parts = [
        part
        for start in range(0, size, batch_size)
        if len(part := _share(rows[start : start + batch_size], worker))
    ]
    return _plan(parts, np.full(size, view, dtype=np.int64))


def training(
    size: int,
    batch_size: int,
    *,
    epoch: int,
    seed: int,
    views: int | CropFlipViews | None,
    parts: int = 1,
    drop_last: bool = False,
    worker: tuple[int, int] = (0, 1),
) -> EpochPlan:
    """Plan a pass over all images shuffled, each in a random one of ``views``, or that of the epoch if None.

    Batch normalisation cannot take a single image: of the last batch, what would leave its ``parts`` unequal
    or with one image each is dropped; with ``drop_last`` all of it, if it is not the only one. Workers share
    each batch as evenly as it goes; what a batch holds does not depend on their number.
    """
    if batch_size % parts:
        raise ValueError(f"a batch of {batch_size} cannot be cut into {parts} equal parts")
    whole = trained(size, batch_size, parts, drop_last)
    order = shuffled(size, seed, epoch, _ORDER)
    if views is None:
        drawn = np.full(size, epoch, dtype=np.int64)
    else:
        rng = np.random.Generator(np.random.PCG64((seed, epoch, _VIEWS)))
        drawn = _drawn(rng, size, views)
    batches = [
        _share(order[start : min(start + batch_size, whole)], worker) for start in range(0, whole, batch_size)
    ]
    return _plan(batches, drawn)


def trained(size: int, batch_size: int, parts: int = 1, drop_last: bool = False) -> int:
    """Count the images of a training epoch, over all workers.

    >>> trained(23, 8), trained(23, 8, drop_last=True), trained(7, 8, drop_last=True)
    (23, 16, 7)
    """
    if drop_last and size >= batch_size:
        return size - size % batch_size
    rest = size % batch_size // parts * parts
    return size - size % batch_size + (rest if rest >= 2 * parts else 0)


def steps(size: int, batch_size: int, parts: int = 1, drop_last: bool = False) -> int:
    """Count the batches of a training epoch.

    >>> steps(23, 8), steps(23, 8, drop_last=True)
    (3, 2)
    """
    return -(-trained(size, batch_size, parts, drop_last) // batch_size)


def _drawn(rng: np.random.Generator, size: int, views: int | CropFlipViews) -> NDArray[np.int64]:
    """Draw a view for each of ``size`` images: d = round(reach * u) pixels each way, u uniform in [-1, 1)."""
    if isinstance(views, int) or views.reach is None:
        count = views if isinstance(views, int) else views.count
        return (rng.random(size) * count).astype(np.int64)
    moves = np.floor(views.reach * (2 * rng.random((2, size)) - 1) + 0.5).astype(np.int64)
    top, left = moves + views.side // 2
    offset: NDArray[np.int64] = top * views.side + left
    return 2 * offset + (rng.random(size) < views.flipped) if views.flip else offset


def _share(rows: NDArray[np.int64], worker: tuple[int, int]) -> NDArray[np.int64]:
    rank, workers = worker
    return rows[rank::workers]


def _plan(parts: list[NDArray[np.int64]], views: NDArray[np.int64]) -> EpochPlan:
    rows = np.concatenate([*parts, np.empty(0, dtype=np.int64)])
    return EpochPlan(rows, views[rows], [len(part) for part in parts])
