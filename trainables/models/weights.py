"""Reads published weight files safely, names weights by what they hold, loads them strictly."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from trainables.models.names import ModelError
from trainables.models.state_dicts import find_state
from trainables.models.weight_files import open_weights

__all__ = ["load_into", "load_published", "state_sha256"]


def load_published(path: str | Path) -> dict[str, Tensor]:
    """Return the state dict of a weight file, on the CPU.

    Reads what RepDistiller and mdistiller write (``{"model": state_dict, ...}``, for instance
    ``ckpt_epoch_240.pth``; of mdistiller's ``best`` and ``latest`` the student), ``{"state_dict": ...}``, the
    only state dict under another key, a bare one, and ``.safetensors``; without what wrappers such as
    ``DataParallel`` and ``torch.compile`` leave in the keys. Only tensors, numbers and plain containers are
    read, so a hostile file cannot run code.

    Raises:
        ModelError: the file is missing, damaged, no weight file, holds other objects than tensors, or holds
            no state dict.
    """
    path = Path(os.path.expanduser(path))
    content = open_weights(path)
    try:
        return find_state(content)
    except ModelError as error:
        raise ModelError(f"weight file {path}: {error}") from None


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 (hex) of a state dict: names in sorted order, each with dtype, shape and bytes.

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


def _some(keys: list[str], limit: int = 3) -> str:
    return ", ".join(keys[:limit]) + (", ..." if len(keys) > limit else "")
