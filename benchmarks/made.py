"""Made images of CIFAR-100's shape, and trials on them: what a measurement of speed needs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch

import trainables.models as models
from trainables.config import Data, LogitTerm, Method, Teacher, Training, TrialConfig
from trainables.data import RawData
from trainables.data.raw import CropFlipViews
from trainables.models.weights import state_sha256
from trainables.storage.run_store import RunStore

CLASSES = 100
MEAN, STD = (0.507, 0.487, 0.441), (0.267, 0.256, 0.276)
DATA = Data(name="packed", root="made", fingerprint="0" * 64)


def raw(train: int, test: int) -> RawData:
    """``train`` images that are trained on (100 at least, one of each class), 100 held out, ``test`` others.

    All of them noise.
    """
    random = np.random.default_rng(0)
    total = train + CLASSES
    images = random.integers(0, 256, (total + test, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(total + test) % CLASSES
    return RawData(
        train_images=images[:total],
        train_labels=labels[:total],
        test_images=images[total:],
        test_labels=labels[total:],
        classes=tuple(map(str, range(CLASSES))),
        mean=MEAN,
        std=STD,
        augmentation=CropFlipViews(padding=4, flip=True),
        held_out=np.arange(total) >= train,
    )


def file_teacher(store: RunStore, name: str) -> Teacher:
    """File an untrained network as a teacher; for the time it takes its weights do not matter."""
    torch.manual_seed(0)
    state = models.build(name, CLASSES).state_dict()
    weights, buffer = state_sha256(state), io.BytesIO()
    torch.save({"model": state}, buffer)
    store.file_teacher(weights, buffer.getvalue(), {"name": name})
    return Teacher(name=name, weights=weights)


def trial(
    store: Path, teacher: str, student: str, scales: tuple[int, ...], precision: str, batch_size: int = 64
) -> TrialConfig:
    """SD-KD of ``teacher`` into ``student`` under the paper's settings."""
    return TrialConfig(
        data=DATA,
        student=student,
        teacher=file_teacher(RunStore(store), teacher),
        method=Method(ce_weight=0.1, logit=LogitTerm(alpha=0.9, scales=scales, complementary_weight=2.0)),
        training=Training(batch_size=batch_size, precision=precision),  # type: ignore[arg-type]
    )
