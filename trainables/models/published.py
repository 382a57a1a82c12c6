"""Fetches weights that torchvision and timm publish, by name, through their own downloads and caches."""

from __future__ import annotations

import functools
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainables.errors import one_line, suggestion
from trainables.models.names import PUBLISHED, ModelError, resolve
from trainables.models.weights import load_published, state_sha256

__all__ = ["PublishedWeights", "fetch", "published_sha256"]


@dataclass(frozen=True, slots=True)
class PublishedWeights:
    """Holds published weights of a network, as its library's network has them.

    Attributes:
        state: by key, classifier included.
        classes: number K of classes that the classifier is for.
        source: where they come from, an address.
        mean, std: what pixels in [0, 1] were normalised by, for each of three channels.
    """

    state: Mapping[str, Tensor]
    classes: int
    source: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def about(self) -> dict[str, Any]:
        """What is filed beside the weights."""
        return {"file": self.source, "num_classes": self.classes}


def fetch(name: str, weights: str = PUBLISHED) -> PublishedWeights:
    """Return published weights of network ``name``, from its library's cache or by its download.

    Args:
        weights: ``published`` for the library's usual ones, ``published:TAG`` for others.

    Raises:
        ModelError: there are none; or they cannot be fetched, with what to fetch and where to put it.
    """
    recipe = resolve(name)
    if recipe.module != "external":
        raise ModelError(f"network {name!r} has no weights that a library publishes; name a file of them")
    entry, tag = str(recipe.options["entry"]), weights.partition(":")[2]
    find = _of_torchvision if recipe.options["library"] == "torchvision" else _of_timm
    return find(name, entry, tag)


@functools.lru_cache(maxsize=64)
def published_sha256(name: str, weights: str = PUBLISHED) -> str:
    """Return the hash under which published weights of network ``name`` are filed; see :func:`fetch`."""
    return state_sha256(fetch(name, weights).state)


def cached_file(file: str) -> Path:
    """Return where torch keeps a weight file that it downloaded, and looks for it first."""
    return Path(torch.hub.get_dir()) / "checkpoints" / file


def _of_torchvision(name: str, entry: str, tag: str) -> PublishedWeights:
    import torchvision.models as zoo

    from trainables.models.libraries import library_names

    if entry not in library_names("torchvision"):
        raise ModelError(f"unknown network {name!r}; {suggestion(entry, library_names('torchvision'))}")
    known = zoo.get_model_weights(entry)
    tags = list(known.__members__)
    if (tag and tag not in tags) or not tags:
        raise ModelError(f"network {name!r} has no weights {tag!r}; {suggestion(tag, tags)}")
    chosen = known[tag] if tag else known.DEFAULT
    file = cached_file(chosen.url.rpartition("/")[2])
    if file.exists():
        load_published(file)  # a damaged or hostile file is told, before the library reads it
    try:
        network = zoo.get_model(entry, weights=chosen, progress=False)
    except Exception as error:
        raise _not_fetched(name, chosen.url, file, error) from None
    shown = chosen.transforms()
    classes = len(chosen.meta["categories"])
    return PublishedWeights(network.state_dict(), classes, chosen.url, tuple(shown.mean), tuple(shown.std))


def _of_timm(name: str, entry: str, tag: str) -> PublishedWeights:
    try:
        import timm
    except ImportError:
        raise ModelError(f"network {name!r} needs the package timm: pip install 'sdd-study[timm]'") from None
    plain, _, own = entry.partition(".")
    tags = [each.partition(".")[2] for each in timm.list_pretrained(f"{plain}.*")]
    if not timm.is_model(entry) or (tag and tag not in tags):
        raise ModelError(f"network {name!r} has no weights {tag!r}; {suggestion(tag, tags)}")
    full = f"{plain}.{tag or own}" if tag or own else plain
    config = timm.get_pretrained_cfg(full)
    if config is None or not (config.hf_hub_id or config.url) or not config.num_classes:
        raise ModelError(f"network {name!r} has no weights of a classifier; {suggestion('', tags)}")
    file = cached_file(f"{config.architecture}.{config.tag or 'weights'}.safetensors")
    address, kept = _on_hub(str(config.hf_hub_id)) if config.hf_hub_id else (str(config.url), None)
    given = next((path for path in (file, kept) if path is not None and path.exists()), None)
    overlay: dict[str, Any] = {}
    if given is not None:
        load_published(given)
        overlay = {"pretrained_cfg_overlay": {"file": str(given)}}
    try:
        if given is None:
            _reach(address)
        network = timm.create_model(full, pretrained=True, **overlay)
    except Exception as error:
        raise _not_fetched(name, address, file, error) from None
    return PublishedWeights(
        network.state_dict(), int(config.num_classes), address, tuple(config.mean), tuple(config.std)
    )


def _on_hub(repository: str) -> tuple[str, Path | None]:
    """Return where Hugging Face has the weights of ``repository``, and where its cache does."""
    from huggingface_hub import constants, hf_hub_url, try_to_load_from_cache

    file = constants.SAFETENSORS_SINGLE_FILE
    kept = try_to_load_from_cache(repository, file)
    return hf_hub_url(repository, file), Path(kept) if isinstance(kept, str) else None


def _reach(address: str) -> None:
    """Raise ``OSError`` where there is no network; the hub's own download would try for a minute."""
    try:
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=20).close()
    except urllib.error.HTTPError:
        return  # something answered; the library says what is wrong


def _not_fetched(name: str, address: str, file: Path, error: Exception) -> ModelError:
    reason = one_line(error, most=120, part="first", kind=True)
    return ModelError(
        f"published weights of {name} were not fetched ({reason}); fetch {address} where there is a network, "
        f"and put it at {file}"
    )
