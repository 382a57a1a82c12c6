"""Generated scenes: the same everywhere, disjoint in handwriting, balanced, and quick to make."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from trainables.config import Data
from trainables.data import fingerprint, load, load_raw
from trainables.data.readers.cluttered_digits import sources

DATA = Data(name="cluttered_digits", validation=0.2, options={"scenes": 200, "test": 100})


def test_scenes_are_the_same_on_every_platform() -> None:
    raw = load_raw(DATA)
    assert (
        hashlib.sha256(raw.train_images.tobytes() + raw.test_images.tobytes()).hexdigest()[:16]
        == "1a9e3e4ec2165678"
    )


def test_shapes_and_balance() -> None:
    raw = load_raw(DATA)
    assert raw.train_images.shape == (200, 32, 32, 3)
    assert raw.train_images.dtype == np.uint8
    assert raw.held_out is not None
    assert np.bincount(raw.train_labels[~raw.held_out]).tolist() == [16] * 10
    assert np.bincount(raw.train_labels[raw.held_out]).tolist() == [4] * 10
    assert np.bincount(raw.test_labels).tolist() == [10] * 10


def test_train_validation_and_test_use_different_handwriting() -> None:
    labels = load_digits().target
    parts = sources(DATA)
    rows = [np.concatenate(list(part.values())) for part in parts]
    for first, second in combinations(rows, 2):
        assert not set(first) & set(second)
    assert sorted(np.concatenate(rows)) == list(range(1797))
    for part in parts:
        assert all((labels[rows] == label).all() for label, rows in part.items())
    for label in range(10):
        train, validation, test = (len(part[label]) for part in parts)
        assert test == pytest.approx(0.25 * (train + validation + test), abs=1)
        assert validation == pytest.approx(0.2 * (train + validation), abs=1)


@pytest.mark.parametrize("validation", [0.001, 0.999])
def test_every_part_has_every_digit_whatever_the_share(validation: float) -> None:
    assert all(len(rows) for part in sources(replace(DATA, validation=validation)) for rows in part.values())


def test_the_held_out_scenes_are_the_validation_part() -> None:
    loaded = load(DATA, "cpu")
    assert loaded.validation.index.tolist() == list(range(160, 200))
    assert (len(loaded.train), len(loaded.all), len(loaded.test)) == (160, 200, 100)


def test_what_changes_the_scenes_changes_the_fingerprint() -> None:
    variants = [
        DATA,
        replace(DATA, options={**DATA.options, "seed": 1}),
        replace(DATA, options={**DATA.options, "distractors": 2}),
        replace(DATA, options={**DATA.options, "scenes": 300}),
        replace(DATA, validation=0.3),
        replace(DATA, options={**DATA.options, "size": 16}),
    ]
    assert len({fingerprint(data) for data in variants}) == len(variants)
    assert len({load_raw(data).train_images.tobytes() for data in variants}) == len(variants)
    defaults = Data(name="cluttered_digits")
    assert fingerprint(defaults) == fingerprint(replace(defaults, options={"scenes": 2000}))
    assert fingerprint(defaults).startswith("e0f4b8fc7ef57281"), "as before there was an option size"


def test_digits_are_drawn_in_proportion_to_the_size() -> None:
    small, usual = (
        load_raw(replace(DATA, options={**DATA.options, "distractors": 0, "size": size})) for size in (16, 32)
    )
    assert small.train_images.shape == (200, 16, 16, 3)
    inked = [(raw.train_images.astype(int).max(axis=3) > 130).mean() for raw in (small, usual)]
    assert inked[0] == pytest.approx(inked[1], rel=0.2)


def test_the_labelled_digit_is_there_without_distractors() -> None:
    raw = load_raw(replace(DATA, options={**DATA.options, "distractors": 0}))
    inked = (
        np.abs(raw.test_images.astype(float) - np.median(raw.test_images, (1, 2), keepdims=True)) > 40
    ).any(-1)
    assert (inked.sum((1, 2)) > 20).all()
