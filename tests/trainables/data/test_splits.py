"""Held-out part, fraction and class restriction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.config import Data
from trainables.data.partition import rows_by_class, shuffled, split
from trainables.data.raw import CropFlipViews, DataError, RawData

DATA = Data(name="packed", validation=0.2)


def raw_of(labels: list[int], num_classes: int) -> RawData:
    array = np.array(labels, dtype=np.int64)
    images = np.zeros((len(labels), 2, 2, 3), dtype=np.uint8)
    return RawData(
        train_images=images,
        train_labels=array,
        test_images=images,
        test_labels=array,
        classes=tuple(f"c{i}" for i in range(num_classes)),
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
        augmentation=CropFlipViews(padding=1, flip=True),
    )


RAW = raw_of([i % 5 for i in range(500)], 5)


@settings(deadline=None, max_examples=50)
@given(
    sizes=st.lists(st.integers(2, 40), min_size=2, max_size=5),
    validation=st.floats(0.01, 0.99),
    fraction=st.floats(0.01, 1),
    seed=st.integers(0, 2**32),
)
def test_parts_are_disjoint_and_every_class_is_in_each(
    sizes: list[int], validation: float, fraction: float, seed: int
) -> None:
    raw = raw_of([label for label, size in enumerate(sizes) for _ in range(size)], len(sizes))
    parts = split(raw, Data(name="packed", validation=validation, fraction=fraction, split_seed=seed))
    assert not set(parts.train) & set(parts.validation)
    for rows in (parts.train, parts.validation):
        assert set(raw.train_labels[rows]) == set(range(len(sizes)))
        assert (np.diff(rows) > 0).all()


def test_each_class_gives_the_same_share() -> None:
    parts = split(RAW, DATA)
    assert np.bincount(RAW.train_labels[parts.validation]).tolist() == [20] * 5
    assert np.bincount(RAW.train_labels[parts.train]).tolist() == [80] * 5
    assert len(parts.test) == 500


def test_the_split_depends_on_the_seed_alone() -> None:
    again, other = split(RAW, DATA), split(RAW, replace(DATA, split_seed=1))
    assert np.array_equal(split(RAW, DATA).train, again.train)
    assert not np.array_equal(again.validation, other.validation)


def test_the_draw_is_the_same_on_every_platform() -> None:
    assert shuffled(8, 3, 1).tolist() == [0, 6, 2, 1, 3, 7, 4, 5]


def test_what_is_held_out_of_the_whole_is_never_trained_on_in_a_piece() -> None:
    whole = split(RAW, DATA)
    for piece in (replace(DATA, fraction=0.3), replace(DATA, classes=(4, 1)), replace(DATA, classes=3)):
        parts = split(RAW, piece)
        assert set(parts.validation) <= set(whole.validation)
        assert set(parts.train) <= set(whole.train)


def test_fractions_are_stratified_and_nested() -> None:
    small, large = (split(RAW, replace(DATA, fraction=fraction)) for fraction in (0.25, 0.5))
    assert np.bincount(RAW.train_labels[small.train]).tolist() == [20] * 5
    assert np.bincount(RAW.train_labels[large.validation]).tolist() == [10] * 5
    assert set(small.train) <= set(large.train)
    assert len(small.test) == 500


def test_classes_are_relabelled_in_the_order_given() -> None:
    parts = split(RAW, replace(DATA, classes=(4, 1)))
    assert parts.classes == ("c4", "c1")
    assert set(RAW.train_labels[parts.train]) == {1, 4}
    assert (parts.train_labels[RAW.train_labels == 4] == 0).all()
    assert (parts.test_labels[RAW.test_labels == 1] == 1).all()
    assert (parts.test_labels[parts.test] >= 0).all()
    assert split(RAW, replace(DATA, classes=2)).classes == ("c0", "c1")


def test_an_own_validation_part_is_kept() -> None:
    held = np.arange(500) >= 450
    parts = split(replace(RAW, held_out=held), DATA)
    assert parts.validation.tolist() == list(range(450, 500))
    assert parts.train.tolist() == list(range(450))


def test_unknown_and_too_small_classes_are_named() -> None:
    with pytest.raises(DataError, match=r"^classes: index 7 is outside 0\.\.4 of packed"):
        split(RAW, replace(DATA, classes=(0, 7)))
    with pytest.raises(DataError, match=r"^validation: class 'c1' has 1 training images"):
        split(raw_of([0, 0, 0, 1], 2), DATA)
    with pytest.raises(DataError, match=r"^validation: class 'c2' has 0 training images"):
        split(raw_of([0, 0, 1, 1], 3), DATA)


def test_rows_by_class() -> None:
    rows = rows_by_class(np.array([2, 0, 2, 0]), 4)
    assert {label: part.tolist() for label, part in rows.items()} == {0: [1, 3], 1: [], 2: [0, 2], 3: []}
