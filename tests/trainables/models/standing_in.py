"""Weight files that stand where torchvision's and timm's downloads would, in their own cache folders."""

from __future__ import annotations

import urllib.error
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

VIT = "timm:test_vit"
"""timm's smallest ViT with published weights: 160 pixels, 1000 classes."""


def no_network(*_: Any, **__: Any) -> None:
    raise urllib.error.URLError("no network in tests")


def cut_off(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Give the libraries caches of their own, and no network."""
    from huggingface_hub import constants

    patch.setenv("TORCH_HOME", str(folder / "torch"))
    patch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    patch.setattr("torch.hub.urlopen", no_network)
    patch.setattr("urllib.request.urlopen", no_network)


def torchvision_file(folder: Path, entry: str = "resnet18") -> dict[str, Tensor]:
    """Put weights of a network where torchvision's download would be; return them."""
    import torchvision.models as zoo

    torch.manual_seed(1)
    state: dict[str, Tensor] = zoo.get_model(entry, weights=None).state_dict()
    url = zoo.get_model_weights(entry).DEFAULT.url
    file = folder / "torch" / "hub" / "checkpoints" / url.rpartition("/")[2]
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, file)
    return state


def timm_file(folder: Path, *, on_hub: bool = False) -> dict[str, Tensor]:
    """Put weights of :data:`VIT` into Hugging Face's cache, or where the error says; return them."""
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(1)
    state: dict[str, Tensor] = timm.create_model(VIT.partition(":")[2], pretrained=False).state_dict()
    name = "test_vit.r160_in1k"
    file = folder / "torch" / "hub" / "checkpoints" / f"{name}.safetensors"
    if on_hub:
        cache = folder / "hub" / f"models--timm--{name}"
        (cache / "refs").mkdir(parents=True)
        (cache / "refs" / "main").write_text("abc")
        file = cache / "snapshots" / "abc" / "model.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in state.items()}, file)
    return state
