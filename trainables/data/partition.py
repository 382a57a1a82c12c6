"""Decides which images are train, validation and test: class restriction, held-out part, fraction.

All draws come from ``numpy.random.Generator.random`` over PCG64, whose stream is the same on every platform.
The held-out part of a class depends on ``split_seed``, ``validation`` and the class alone. So no image that
is held out under one ``fraction`` or choice of ``classes`` is trained on under another, and a teacher of the
whole set has not seen the validation part of a study on a piece of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainables.config.data import Data
from trainables.data.raw import DataError, RawData
from trainables.data.registry import check_classes

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SplitIndices:
    """Holds the rows of each part, rising, and the labels of all raw images.

    >>> from trainables.data import load_raw
    >>> data = Data(name="cluttered_digits", options={"scenes": 100, "test": 100}, validation=0.2, classes=2)
    >>> parts = split(load_raw(data), data)
    >>> len(parts.train), len(parts.validation), parts.classes
    (16, 4, ('zero', 'one'))

    Attributes:
        train, validation: rows of the raw train set.
        test: rows of the raw test set.
        train_labels, test_labels: new label of each raw image; -1 where its class is left out.
        classes: names of the classes in use, by new label.
    """

    train: Rows
    validation: Rows
    test: Rows
    train_labels: Rows
    test_labels: Rows
    classes: tuple[str, ...]


def split(raw: RawData, data: Data) -> SplitIndices:
    """Return the rows of train, validation and test as ``data`` asks for them.

    Raises:
        DataError: an unknown class; a class with too few images to give both train and validation one; or
            no test image of any class.
    """
    wanted = chosen_classes(data, len(raw.classes))
    relabel = np.full(len(raw.classes), -1, dtype=np.int64)
    relabel[list(wanted)] = np.arange(len(wanted))
    train: list[Rows] = []
    validation: list[Rows] = []
    short: list[str] = []
    for label, rows in rows_by_class(raw.train_labels, len(raw.classes)).items():
        if relabel[label] < 0:
            continue
        rows = rows[shuffled(len(rows), data.split_seed, label)]
        if raw.held_out is None:
            cut = _share(len(rows), data.validation)
            held, rest = rows[:cut], rows[cut:]
        else:
            held, rest = rows[raw.held_out[rows]], rows[~raw.held_out[rows]]
        if not len(held) or not len(rest):
            name = raw.classes[label]
            short.append(f"class '{name}' has {len(rows)} training images, {len(held)} of them held out")
            continue
        validation.append(held[: max(1, round(data.fraction * len(held)))])
        train.append(rest[: max(1, round(data.fraction * len(rest)))])
    if short:
        more = f" ({len(short) - 1} more classes are like that)" if len(short) > 1 else ""
        raise DataError(
            f"validation: {short[0]}, and both parts need one{more}; add images, change 'validation', or "
            "leave the class out by 'classes'"
        )
    test_labels = relabel[raw.test_labels]
    if not (test_labels >= 0).any():
        field = "root" if data.classes is None else "classes"
        raise DataError(f"{field}: there are no test images of the classes in use")
    return SplitIndices(
        train=np.sort(np.concatenate(train)),
        validation=np.sort(np.concatenate(validation)),
        test=np.flatnonzero(test_labels >= 0),
        train_labels=relabel[raw.train_labels],
        test_labels=test_labels,
        classes=tuple(raw.classes[label] for label in wanted),
    )


def chosen_classes(data: Data, num_classes: int) -> tuple[int, ...]:
    """Return the raw labels in use, in the order of their new labels."""
    check_classes(data, num_classes)
    if data.classes is None:
        return tuple(range(num_classes))
    return tuple(range(data.classes)) if isinstance(data.classes, int) else data.classes


def rows_by_class(labels: Rows, num_classes: int) -> dict[int, Rows]:
    """Return the rows of each class, rising; a class without rows has an empty array."""
    order = np.argsort(labels, kind="stable").astype(np.int64)
    ends = np.cumsum(np.bincount(labels, minlength=num_classes))
    return dict(enumerate(np.split(order, ends[:-1])))


def shuffled(size: int, *seeds: int) -> Rows:
    """Return a permutation of ``range(size)`` that depends on ``seeds`` alone."""
    rng = np.random.Generator(np.random.PCG64(seeds))
    return np.argsort(rng.random(size), kind="stable").astype(np.int64)


def _share(size: int, fraction: float) -> int:
    """Return ``fraction`` of ``size``, at least one and not all, or none if that is impossible."""
    return min(max(1, round(fraction * size)), size - 1) if size > 1 else 0
