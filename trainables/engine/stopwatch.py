"""Measures the time that a device spends in a part of the work, not what the host waits for."""

from __future__ import annotations

import time

import torch


class Stopwatch:
    """Adds up the time that ``device`` spends in what is done inside ``with``.

    A GPU works behind the host: a host clock around a call also counts the work that was queued before it,
    wherever the call waits. There two events are put into the stream, and read when the total is asked for.
    Of what is being recorded as a CUDA graph nothing is counted: an event that is part of one has no time.

    Example:
        >>> watch = Stopwatch(torch.device("cpu"))
        >>> with watch:
        ...     _ = torch.ones(3).sum()
        >>> watch.seconds > 0
        True
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._seconds = 0.0
        self._began = 0.0
        self._recorded = False
        self._pending: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    def __enter__(self) -> None:
        if self.device.type != "cuda":
            self._began = time.perf_counter()
            return
        self._recorded = torch.cuda.is_current_stream_capturing()
        if self._recorded:
            return
        began, ended = (
            torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            for _ in range(2)
        )
        self._pending.append((began, ended))
        began.record()

    def __exit__(self, *_: object) -> None:
        if self.device.type != "cuda":
            self._seconds += time.perf_counter() - self._began
        elif not self._recorded:
            self._pending[-1][1].record()

    @property
    def seconds(self) -> float:
        """Seconds measured so far; waits for a GPU to have done what is counted."""
        for began, ended in self._pending:
            ended.synchronize()
            self._seconds += began.elapsed_time(ended) / 1000
        self._pending.clear()
        return self._seconds
