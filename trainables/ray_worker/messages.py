"""Carries what a trial sends its study beside metrics: remarks for the user, and why it ends.

Both travel in reports, which is the one way from a trial to its study: a process on another node prints into
a log that nobody reads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trainables.storage.blobs import StorageError

REMARKS = "remarks"
"""In a report: lines for the user, such as one about a damaged checkpoint."""

FAILED = "failed"
"""In a last report: what was wrong with the trial itself; it would be so again."""

FAULT = "fault"
"""In a last report: what is wrong with a storage or device that all trials use, such as a full disk."""

Report = Callable[[dict[str, Any]], None]


class ReportChannel:
    """Sends remarks along with the next report.

    Example:
        >>> channel = ReportChannel(print)
        >>> channel.log("the checkpoint of epoch 3 is damaged")
        >>> channel.report({"epoch": 3})
        {'epoch': 3, 'remarks': ['the checkpoint of epoch 3 is damaged']}
        >>> channel.report({"epoch": 4})
        {'epoch': 4}
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._waiting: list[str] = []

    def log(self, line: str) -> None:
        """Keep a remark for the next report."""
        self._waiting.append(line)

    def report(self, metrics: dict[str, Any]) -> None:
        """Report ``metrics``, with the remarks kept since the last report."""
        remarks, self._waiting = self._waiting, []
        self._report({**metrics, REMARKS: remarks} if remarks else metrics)


def failure_report(error: Exception) -> dict[str, Any]:
    """Return the last report of a trial that ends with ``error``; it is of no epoch."""
    if isinstance(error, StorageError):
        return {"epoch": 0, FAULT: str(error)}
    lines = str(error).strip().splitlines()
    return {"epoch": 0, FAILED: f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__}
