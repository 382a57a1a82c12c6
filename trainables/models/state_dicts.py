"""Finds a network's state dict in what training programs save, under the names the network itself uses."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from torch import Tensor

from trainables.models.names import ModelError

WRAPPERS = ("model", "state_dict")
"""Keys under which weight files usually keep the state dict, beside epoch, accuracy, optimiser and so on."""

INNER_WRAPPERS = frozenset({"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})
"""Parts of keys that torch.compile, sharding and activation checkpointing leave, at any depth."""

PARALLEL = "module."
"""Prefix that `DataParallel`, `DistributedDataParallel` and `AveragedModel` put before each key."""

AVERAGED = "n_averaged"
"""The counter that `AveragedModel` keeps beside the network."""

STUDENT = "student."
"""Prefix of the student's keys in mdistiller's ``best`` and ``latest``, which hold a whole distiller."""

_DEPTH = 3
"""Mappings in mappings that are looked through."""


def find_state(content: Any) -> dict[str, Tensor]:
    """Return the state dict in ``content``: under a usual key, the only one under another, or itself.

    What wrappers leave in the keys is taken out. Of a whole distiller it is the student's.

    Raises:
        ModelError: there is none, or there are several under keys that do not tell which is meant.
    """
    found = _usual(content)
    if found is None:
        others = dict(_state_dicts(content, ""))
        if len(others) > 1:
            names = ", ".join(others)
            raise ModelError(f"holds several state dicts ({names}); save the one that is meant by itself")
        if not others:
            raise ModelError("holds no state dict (names with tensors)")
        (found,) = others.values()
    return _student(unwrapped(found))


def unwrapped(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return ``state`` without what wrappers put into its keys.

    >>> import torch
    >>> list(unwrapped({"module._orig_mod.fc.weight": torch.ones(1), "n_averaged": torch.ones(())}))
    ['fc.weight']
    """
    kept = {_without_inner(key): value for key, value in state.items()}
    while _all_begin(set(kept) - {AVERAGED}, PARALLEL):
        kept.pop(AVERAGED, None)
        kept = {key.removeprefix(PARALLEL): value for key, value in kept.items()}
    return kept


def fitted(state: Mapping[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """Return ``state`` by a network's names ``own``, where all of it lies below one name, such as ``net.``.

    >>> import torch
    >>> list(fitted({"net.fc.weight": torch.ones(1)}, ["fc.weight"]))
    ['fc.weight']
    """
    kept = dict(state)
    while kept and not set(own) & set(kept):
        first, dot, _ = next(iter(kept)).partition(".")
        if not dot or not _all_begin(kept, first + dot):
            return dict(state)
        kept = {key.removeprefix(first + dot): value for key, value in kept.items()}
    return kept


def _usual(content: Any) -> Mapping[str, Tensor] | None:
    """Return the state dict under one of :data:`WRAPPERS`, or ``content`` where it is one."""
    for key in WRAPPERS:
        if isinstance(content, Mapping) and _is_state(content.get(key)):
            state: Mapping[str, Tensor] = content[key]
            return state
    return content if _is_state(content) else None


def _state_dicts(content: Any, path: str) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
    """Yield what looks like a network's state dict, by its path; names of an optimiser's have no dots."""
    if not isinstance(content, Mapping) or path.count(".") >= _DEPTH:
        return
    for key, value in content.items():
        where = f"{path}.{key}" if path else str(key)
        if _is_state(value) and any("." in name for name in value):
            yield where, value
        else:
            yield from _state_dicts(value, where)


def _student(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the student's part, where there is one beside others or alone."""
    if not any(key.startswith(STUDENT) for key in state):
        return state
    return {key.removeprefix(STUDENT): value for key, value in state.items() if key.startswith(STUDENT)}


def _without_inner(key: str) -> str:
    return ".".join(part for part in key.split(".") if part not in INNER_WRAPPERS)


def _all_begin(keys: Collection[str], prefix: str) -> bool:
    return bool(keys) and all(key.startswith(prefix) for key in keys)


def _is_state(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(key, str) and isinstance(item, Tensor) for key, item in value.items())
    )
