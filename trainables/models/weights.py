"""Weight files: reading published ones safely, naming weights by what they hold, loading them strictly."""

from __future__ import annotations

import argparse
import hashlib
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor, nn

from trainables.errors import first_line
from trainables.models.names import ModelError

__all__ = ["load_into", "load_published", "state_sha256"]

WRAPPERS = ("model", "state_dict")
"""Keys under which weight files keep the state dict, beside epoch, accuracy, optimiser and so on."""

PARALLEL = "module."
"""What `DataParallel` and `DistributedDataParallel` put before each key."""

_HARMLESS: list[Any] = [
    argparse.Namespace,
    numpy.dtype,
    *(type(numpy.dtype(kind)) for kind in ("float32", "float64", "int32", "int64")),
    (numpy.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    (numpy.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar"),
]
"""What published files hold beside tensors: the run's options, and a learning rate that numpy computed."""


def load_published(path: str | Path) -> dict[str, Tensor]:
    """The state dict of a weight file, on the CPU.

    Reads what RepDistiller and mdistiller write (``{"model": state_dict, ...}``, for instance
    ``ckpt_epoch_240.pth``), ``{"state_dict": ...}`` and a bare state dict, with or without ``module.`` before
    each key. Only tensors, numbers and plain containers are read, so a hostile file cannot run code.

    Raises:
        ModelError: the file is missing, damaged, holds other objects than tensors, or holds no state dict.
    """
    path = Path(path)
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"weight file {path}: {error.strerror or error}") from None
    except pickle.UnpicklingError:
        unread = "holds objects that are not read, since they could run code: save its state dict alone"
        reason = unread if zipfile.is_zipfile(path) else f"no torch weight file, or {unread}"
        raise ModelError(f"weight file {path}: {reason}") from None
    except Exception as error:  # a damaged file surfaces as RuntimeError, EOFError, KeyError, ...
        raise ModelError(f"weight file {path}: damaged ({first_line(error)})") from None
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content or not all(map(_is_entry, content.items())):
        raise ModelError(f"weight file {path}: holds no state dict (names with tensors)")
    if all(key.startswith(PARALLEL) for key in content):
        content = {key.removeprefix(PARALLEL): value for key, value in content.items()}
    return dict(content)


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 (hex) of a state dict's content: names in sorted order, each with dtype, shape and bytes.

    Equal for equal weights, wherever and in whatever order or memory format they are kept.

    >>> state_sha256({"w": torch.zeros(2, 2)})[:12]
    '739ec6bb5dc1'
    """
    digest = hashlib.sha256()
    for key in sorted(state):
        value = state[key].detach().cpu().contiguous()
        digest.update(f"{key}\0{value.dtype}\0{tuple(value.shape)}\0".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def load_into(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load `state` into `model`, every key and shape matching; :class:`ModelError` names those that do not.

    Missing ``num_batches_tracked`` counters, which files of old torch versions lack, are left as they are.
    """
    own = model.state_dict()
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    problems = [
        ("missing", missing),
        ("unexpected", [key for key in state if key not in own]),
        (
            "of another shape",
            [
                f"{key} {tuple(state[key].shape)} for {tuple(own[key].shape)}"
                for key in own
                if key in state and state[key].shape != own[key].shape
            ],
        ),
    ]
    said = [f"{len(keys)} {what} ({_some(keys)})" for what, keys in problems if keys]
    if said:
        raise ModelError(f"weights do not fit {type(model).__name__}: {'; '.join(said)}")
    model.load_state_dict({**own, **state}, strict=True)


def _is_entry(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)


def _some(keys: list[str], limit: int = 3) -> str:
    return ", ".join(keys[:limit]) + (", ..." if len(keys) > limit else "")
