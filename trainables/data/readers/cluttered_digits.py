"""Generates small coloured scenes, one labelled digit among smaller ones: a benchmark without downloads.

Each scene shows one large handwritten digit, the label, and a few smaller digits of other classes beside it
and partly over it, on a noisy coloured background. So a region of the scene often speaks for another class
than the whole, which is what scale-decoupled distillation is about. The handwriting is scikit-learn's
``load_digits`` (1,797 images of 8 x 8 pixels, part of the package). Train, validation and test scenes use
different handwritten digits.

Everything is drawn from ``Generator.random`` over PCG64 and made by element-wise arithmetic in single
precision, so the scenes are the same, byte for byte, on every platform.

Options: ``scenes`` of train and validation together, ``test`` scenes, ``distractors`` a scene, ``size`` in
pixels of a side, to which digits are drawn in proportion, ``seed``.
"""

from __future__ import annotations

import functools
import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from trainables.config.data import Data
from trainables.data.partition import rows_by_class, shuffled
from trainables.data.raw import CropFlipViews, RawData
from trainables.data.registry import options

GENERATOR_VERSION = 1
"""Part of the fingerprint: to be raised with any change that changes a pixel."""

SIZE = 32
"""Pixels a side of the scenes that the sides of digits are given for."""

CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEST_SHARE = 0.25
LARGE, SMALL = (19.0, 23.0), (8.0, 11.0)
"""Sides of the labelled digit and of the others in scenes of :data:`SIZE`, pixels, drawn uniformly."""

CONTRAST = (0.2, 0.5)
"""Lightness of a digit's ink above the background's in each colour channel, drawn uniformly."""

NOISE = 0.06
"""Largest deviation of a pixel's channel, of a triangular distribution."""

MEAN = (0.268, 0.268, 0.268)
STD = (0.155, 0.155, 0.155)

_CHUNK = 250
"""Scenes drawn at a time; a part of the generator's definition, as it orders the draws."""

Floats = NDArray[np.float32]


def read(data: Data) -> RawData:
    """Generate all scenes: train first, then validation, which ``held_out`` marks."""
    chosen = cast(dict[str, int], options(data))
    seed, distractors, size = chosen["seed"], chosen["distractors"], chosen["size"]
    held = min(max(1, round(chosen["scenes"] * data.validation)), chosen["scenes"] - 1)
    train, validation, test = sources(data)
    drawn = [
        _scenes(pool, count, distractors, size, np.random.Generator(np.random.PCG64((seed, part))))
        for part, (pool, count) in enumerate(
            [(train, chosen["scenes"] - held), (validation, held), (test, chosen["test"])]
        )
    ]
    return RawData(
        train_images=np.concatenate([drawn[0][0], drawn[1][0]]),
        train_labels=np.concatenate([drawn[0][1], drawn[1][1]]),
        test_images=drawn[2][0],
        test_labels=drawn[2][1],
        classes=CLASSES,
        mean=MEAN,
        std=STD,
        augmentation=CropFlipViews(padding=2, flip=False),
        held_out=np.arange(chosen["scenes"]) >= chosen["scenes"] - held,
    )


def fingerprint(data: Data) -> str:
    """Return a hash of the generator's version and of all that it depends on."""
    drawn = dict(options(data))
    if drawn["size"] == SIZE:
        del drawn["size"]  # an option since later: scenes of the usual size keep their fingerprint
    made_of = {"version": GENERATOR_VERSION, "options": drawn, "validation": float(data.validation)}
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


def sources(data: Data) -> tuple[dict[int, NDArray[np.int64]], ...]:
    """Return the handwriting of train, validation and test scenes: rows of ``load_digits``, by class."""
    _, labels = _handwriting()
    parts: tuple[dict[int, NDArray[np.int64]], ...] = ({}, {}, {})
    for label, rows in rows_by_class(labels, len(CLASSES)).items():
        rows = rows[shuffled(len(rows), cast(int, options(data)["seed"]), label)]
        test = round(TEST_SHARE * len(rows))
        validation = min(max(1, round(data.validation * (len(rows) - test))), len(rows) - test - 1)
        parts[2][label], parts[1][label], parts[0][label] = np.split(rows, [test, test + validation])
    return parts


@functools.cache
def _handwriting() -> tuple[Floats, NDArray[np.int64]]:
    """Return the ink [1797,10,10] in [0, 1] with an empty border, and the labels [1797]."""
    table = np.loadtxt(_digits_file(), delimiter=",").astype(np.float32)
    ink = np.pad(table[:, :-1].reshape(-1, 8, 8) / np.float32(16), ((0, 0), (1, 1), (1, 1)))
    return ink, table[:, -1].astype(np.int64)


def _digits_file() -> Path:
    """Return the file that ``sklearn.datasets.load_digits`` reads; importing scikit-learn takes seconds."""
    package = find_spec("sklearn")
    assert package is not None, "scikit-learn is among the dependencies"
    return Path(str(package.origin)).parent / "datasets" / "data" / "digits.csv.gz"


def _scenes(
    pool: dict[int, NDArray[np.int64]], count: int, distractors: int, size: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return ``count`` scenes [count,S,S,3] of S = ``size``, and labels [count], all classes alike often."""
    labels = (np.argsort(rng.random(count), kind="stable") % len(CLASSES)).astype(np.int64)
    chunks = [_draw(pool, labels[i : i + _CHUNK], distractors, size, rng) for i in range(0, count, _CHUNK)]
    return np.concatenate(chunks), labels


def _draw(
    pool: dict[int, NDArray[np.int64]],
    labels: NDArray[np.int64],
    distractors: int,
    size: int,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    count = len(labels)
    base = 0.05 + 0.3 * _uniform(rng, count, 1, 1, 3)
    scene = _background(base, size, rng)
    _paint(scene, base, _pick(pool, labels, rng), LARGE, rng)
    for _ in range(distractors):
        others = (labels + 1 + (rng.random(count) * (len(CLASSES) - 1)).astype(np.int64)) % len(CLASSES)
        _paint(scene, base, _pick(pool, others, rng), SMALL, rng)
    scene += NOISE * (_uniform(rng, *scene.shape) + _uniform(rng, *scene.shape) - 1)
    pixels: NDArray[np.uint8] = (scene.clip(0, 1) * 255 + np.float32(0.5)).astype(np.uint8)
    return pixels


def _background(base: Floats, size: int, rng: np.random.Generator) -> Floats:
    """Return backgrounds [B,S,S,3] of colour ``base`` [B,1,1,3], changing linearly from side to side."""
    ramp = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    down, across = 0.6 * _uniform(rng, 2, len(base), 1, 1, 3) - 0.3
    scene: Floats = base + down * ramp[:, None, None] + across * ramp[:, None]
    return scene


def _paint(
    scene: Floats, base: Floats, ink: Floats, sides: tuple[float, float], rng: np.random.Generator
) -> None:
    """Lay digits ``ink`` [B,10,10] over ``scene`` [B,S,S,3], anywhere they fit, each in its own colour."""
    count, size = scene.shape[:2]
    side = (sides[0] + (sides[1] - sides[0]) * _uniform(rng, count)) * np.float32(size / SIZE)
    top, left = _uniform(rng, 2, count) * (size - side)
    contrast = CONTRAST[0] + (CONTRAST[1] - CONTRAST[0]) * _uniform(rng, count, 1, 1, 3)
    scene += _enlarged(ink, top, left, side, size)[..., None] * (base + contrast - scene)


def _enlarged(ink: Floats, top: Floats, left: Floats, side: Floats, size: int) -> Floats:
    """Stretch the inner 8 x 8 bilinearly to ``side`` pixels at (top, left): [B,10,10] -> [B,S,S]."""
    pixels = np.arange(size, dtype=np.float32) + np.float32(0.5)
    for axis, start in ((1, top), (2, left)):
        at = ((pixels - start[:, None]) / side[:, None] * 8 + np.float32(0.5)).clip(0, 9)
        low = np.minimum(at.astype(np.int64), 8)
        part = (at - low).astype(np.float32)
        if axis == 1:
            low, part = low[:, :, None], part[:, :, None]
        else:
            low, part = low[:, None, :], part[:, None, :]
        near, far = (np.take_along_axis(ink, low + step, axis) for step in (0, 1))
        ink = near + part * (far - near)
    return ink


def _pick(pool: dict[int, NDArray[np.int64]], labels: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Return the ink [B,10,10] of one handwritten digit of each label [B], drawn from ``pool``."""
    sizes = np.array([len(pool[label]) for label in range(len(CLASSES))])
    table = np.zeros((len(CLASSES), sizes.max()), dtype=np.int64)
    for label, rows in pool.items():
        table[label, : len(rows)] = rows
    ink, _ = _handwriting()
    picked: Floats = ink[table[labels, (rng.random(len(labels)) * sizes[labels]).astype(np.int64)]]
    return picked


def _uniform(rng: np.random.Generator, *shape: int) -> Floats:
    return rng.random(shape).astype(np.float32)
