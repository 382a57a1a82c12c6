"""Copies what the host has read to a device while that still computes."""

from __future__ import annotations

import torch
from torch import Tensor


class CopyStream:
    """Copies tensors to ``device`` in a stream of its own, so that a GPU copies while it trains.

    A copy in the stream of the training begins when all is done that was put there before; one in another
    stream begins at once. The training's stream waits for it, the host for neither. The memory of a copy
    belongs to both streams: it is given to another tensor when both are past it.

    Example:
        >>> CopyStream(torch.device("cpu")).copy(torch.ones(3)).tolist()
        [1.0, 1.0, 1.0]
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream = (
            torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        )

    def copy(self, tensor: Tensor) -> Tensor:
        """Return ``tensor`` of the host on the device, itself if it is there; work from here on sees it.

        Pinned memory is copied by the device alone, and must not be written to before it has done that:
        torch gives it to no other tensor until then.
        """
        if self._stream is None or tensor.device.type == "cuda":
            return tensor.to(self.device)
        training = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self._stream):
            copied = tensor.to(self.device, non_blocking=True)
        training.wait_stream(self._stream)
        copied.record_stream(training)
        return copied
