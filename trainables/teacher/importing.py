"""Reads a published weight file and files it as a teacher."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.config.data import Data
from trainables.config.training import Training
from trainables.config.trial import LargeImages, Teacher
from trainables.data.registry import source
from trainables.models.names import ModelError, is_published
from trainables.storage.run_store import RunStore

if TYPE_CHECKING:
    from torch import Tensor

    from trainables.data.dataset import DataSet

State = Mapping[str, "Tensor"]
"""A network's weights by key."""

CLASSES, IMAGE_SIZE = 100, 32
"""CIFAR-100's, which published teacher files are for."""


def read_teacher(
    file: Path, name: str, num_classes: int, image_size: int, large_images: LargeImages = "pooled"
) -> State:
    """Read the weights in ``file``, every key and shape as network ``name`` has them; unpickles no object.

    A token model's positions, learnt for images of another size, are interpolated.

    Raises:
        ModelError: the file cannot be read, or does not hold this network's weights, all of them numbers.
    """
    from trainables import models
    from trainables.models.resized_weights import resized
    from trainables.models.state_dicts import fitted
    from trainables.models.weights import load_into, load_published

    state = load_published(file)
    network = models.build(name, num_classes, image_size=image_size, large_images=large_images)
    state = resized(fitted(state, network.state_dict()), network)
    load_into(network, state)
    for key, value in state.items():
        if not value.isfinite().all():
            raise ModelError(f"weight file {file}: {key} holds values that are NaN or infinite")
    return state


def published_teacher(name: str, weights: str, num_classes: int, image_size: int) -> State:
    """Fetch published weights, and fit them to network ``name`` for images of ``image_size`` pixels a side.

    Raises:
        ModelError: there are none, they cannot be fetched, or they classify other classes.
    """
    from trainables import models
    from trainables.models.published import fetch
    from trainables.models.resized_weights import resized
    from trainables.models.weights import load_into

    found = fetch(name, weights)
    if found.classes != num_classes:
        raise ModelError(
            f"published weights of {name} are for {found.classes} classes, the data has {num_classes}; "
            "teacher_training with init='published' starts from them, under a new classifier"
        )
    network = models.build(name, num_classes, image_size=image_size)
    own = network.state_dict()
    state = {key: value for key, value in resized(found.state, network).items() if key in own}
    load_into(network, state)
    return state


def given_state(
    weights: str | Path, name: str, num_classes: int, image_size: int, large_images: LargeImages = "pooled"
) -> State:
    """Return the weights that a pair names: of a file, or ``published`` ones."""
    if is_published(str(weights)):
        return published_teacher(name, str(weights), num_classes, image_size)
    return read_teacher(Path(weights), name, num_classes, image_size, large_images)


def file_teacher(store: RunStore, name: str, state: State, about: Mapping[str, Any]) -> Teacher:
    """File weights under their hash as teacher ``name``, with what is known ``about`` them."""
    import torch

    from trainables.models.weights import state_sha256

    weights = state_sha256(state)
    buffer = io.BytesIO()
    torch.save({"model": dict(state), "name": name}, buffer)
    store.file_teacher(weights, buffer.getvalue(), {"name": name, "weights": weights, **about})
    return Teacher(name=name, weights=weights)


def import_teacher(
    store: RunStore,
    file: Path,
    name: str,
    *,
    num_classes: int | None = None,
    image_size: int | None = None,
    data: Data | None = None,
) -> dict[str, Any]:
    """Check, measure where ``data`` is given, and file a teacher; return what is known about it.

    Classes and image size are those of ``data``, or CIFAR-100's, unless given. Nothing is filed unless all of
    it went well.

    Raises:
        ValueError: ``data`` cannot be read, or the file does not hold such weights of network ``name``.
    """
    loaded = _load(data) if data is not None else None
    classes = num_classes or (loaded.num_classes if loaded else CLASSES)
    size = image_size or (max(loaded.image_size) if loaded else IMAGE_SIZE)
    if loaded is not None and loaded.num_classes != classes:
        raise ValueError(f"the data has {loaded.num_classes} classes, not {classes}")
    form = source(data.name).large_images if data is not None else "pooled"
    try:
        state = read_teacher(file, name, classes, size, form)
    except ModelError as error:
        if data is None and _fits_large_images(file, name, classes):
            raise ModelError(
                f"{error}; it is this network as CUB-200 has it: add --data cub200 --root DIR"
            ) from None
        raise
    about: dict[str, Any] = {"file": file.name, "num_classes": classes, "image_size": size}
    if data is not None and loaded is not None:
        about |= {"data": data.name, **measure(name, state, loaded, form)}
    return {"weights": file_teacher(store, name, state, about).weights, "name": name, **about}


def _fits_large_images(file: Path, name: str, num_classes: int) -> bool:
    """Tell whether a file holds weights of network ``name`` in the form that released code has for CUB."""
    try:
        read_teacher(file, name, num_classes, 224, "released")
    except ModelError:
        return False
    return True


def measure(name: str, state: State, data: DataSet, large_images: LargeImages = "pooled") -> dict[str, float]:
    """Return ``test/loss``, ``test/top1`` and ``test/top5`` of a teacher on the test split of ``data``."""
    import torch

    from trainables import models
    from trainables.engine.device import best_device, best_precision
    from trainables.engine.evaluation import EVALUATION_BATCH, evaluate
    from trainables.engine.runtime import Runtime
    from trainables.models.weights import load_into

    device = best_device()
    size = max(data.image_size)
    network = models.build(name, data.num_classes, image_size=size, large_images=large_images)
    load_into(network, state)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    training = Training(precision=best_precision(device))
    batches = data.test.batches(EVALUATION_BATCH, epoch=None)
    return evaluate(network, batches, "test", training, Runtime(device))


def _load(data: Data) -> DataSet:
    from trainables.data import load
    from trainables.engine.device import best_device

    return load(data, best_device())
