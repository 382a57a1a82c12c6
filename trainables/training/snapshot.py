"""Takes the tensors of a training state to the host in one copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Holds a state as it was: nested dicts and lists of numbers, text, and tensors of one device.

    The tensors' bytes lie in one block, which :meth:`state` takes apart. Training may go on meanwhile.

    >>> weight = torch.tensor([1.0, 2.0])
    >>> taken = Snapshot.of({"weight": weight, "epochs": [torch.tensor(3), None]})
    >>> _ = weight.zero_()
    >>> taken.state()
    {'weight': tensor([1., 2.]), 'epochs': [tensor(3), None]}
    """

    _structure: Any
    _layouts: list[_Layout]
    _bytes: Tensor

    @classmethod
    def of(cls, state: Any) -> Snapshot:
        """Copy ``state`` to the host; waits until a GPU has done what was asked of it before."""
        tensors: list[Tensor] = []

        def place(value: Tensor) -> _Place:
            tensors.append(value.detach())
            return _Place(len(tensors) - 1)

        structure = _mapped(state, Tensor, place)
        layouts, parts, at = [_Layout.of(tensor) for tensor in tensors], [], 0
        # the widest first: each then begins at a multiple of its own width
        for number in sorted(range(len(tensors)), key=lambda number: -tensors[number].element_size()):
            layouts[number].at = at
            parts.append(layouts[number].in_order_of_memory(tensors[number]).view(torch.uint8))
            at += len(parts[-1])
        whole = torch.cat(parts) if parts else torch.empty(0, dtype=torch.uint8)
        return cls(structure, layouts, whole.cpu())

    def state(self) -> Any:
        """Return the state, its tensors on the host."""
        return _mapped(self._structure, _Place, lambda place: self._layouts[place.number].cut(self._bytes))


@dataclass(frozen=True, slots=True)
class _Place:
    number: int


@dataclass(slots=True)
class _Layout:
    """Says where a tensor lies in the block, and how; fused optimisers go by the order of memory."""

    dtype: torch.dtype
    shape: torch.Size
    stride: tuple[int, ...]
    dense: bool
    at: int = 0

    @classmethod
    def of(cls, tensor: Tensor) -> _Layout:
        like = torch.empty_like(tensor, device="meta")  # has the same strides if no two elements overlap
        return cls(tensor.dtype, tensor.shape, like.stride(), like.stride() == tensor.stride())

    def in_order_of_memory(self, tensor: Tensor) -> Tensor:
        if not self.dense:
            tensor = torch.empty_like(tensor).copy_(tensor)
        return tensor.as_strided((tensor.numel(),), (1,), tensor.storage_offset())

    def cut(self, block: Tensor) -> Tensor:
        size = self.shape.numel() * self.dtype.itemsize
        flat = block[self.at : self.at + size].clone().view(self.dtype)
        return flat.as_strided(self.shape, self.stride)


def _mapped(value: Any, kind: type[Any], change: Callable[[Any], Any]) -> Any:
    """Return nested dicts and lists with each object of a ``kind`` changed."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(item, kind, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(item, kind, change) for item in value]
    return value
