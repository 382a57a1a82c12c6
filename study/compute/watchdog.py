"""Sees Ray go away, on a thread of its own: the launcher's may be waiting in a call that never returns."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import ray

from study.background import repeating
from study.compute.ray_private import dead_process
from study.errors import StudyHalted

EVERY_S = 0.5

ABSENT_S = 40.0
"""Seconds for a cluster's GCS to answer again; Ray ends a process without one after 60 s, with no reason."""

GRACE_S = 15.0
"""Seconds for the launcher to leave by itself once Ray is gone."""


class Watchdog:
    """Watches Ray for a launcher, so that it ends once Ray is gone.

    A call of Ray's that needs the GCS waits for one that is gone, and can be neither cancelled nor
    interrupted by a signal. A launcher that is in none leaves by :meth:`check`; for one that is, ``leave``
    ends the process, which loses what SIGKILL loses: nothing that was kept.

    >>> watchdog = Watchdog(local=True, leave=print)
    >>> with watchdog.watching():
    ...     watchdog.check()

    Args:
        local: whether Ray's processes are the launcher's own.
        leave: told why, has the last word and ends the process; called on the watching thread.
    """

    def __init__(self, local: bool, leave: Callable[[str], None]) -> None:
        self._missing = _dead_process if local else _ControlStoreProbe().missing
        self._leave = leave
        self._fault = ""
        self._until = 0.0

    def check(self) -> None:
        """Raise :class:`StudyHalted` once Ray is gone: nothing moves without it."""
        if self._fault:
            raise StudyHalted(self._fault)

    def watching(self) -> AbstractContextManager[None]:
        """Watch Ray while inside, which is from when it is there until it is let go of."""
        return repeating(self._look, EVERY_S, "ray-watch")

    def _look(self) -> bool:
        if not self._fault:
            self._fault = self._missing()
            self._until = time.monotonic() + GRACE_S
        elif time.monotonic() > self._until:
            self._leave(self._fault)
            return False
        return True


def _dead_process() -> str:
    """Say which process of the local Ray has died; empty while all live."""
    kind = dead_process()
    return "" if kind is None else f"Ray's {kind.replace('_', ' ')} process has died"


class _ControlStoreProbe:
    """Asks the GCS of a cluster whether it takes connections."""

    def __init__(self) -> None:
        self._address: str = ray.get_runtime_context().gcs_address
        self._heard = time.monotonic()

    def missing(self) -> str:
        """Say for how long the GCS has not answered; empty while it does, or for up to :data:`ABSENT_S`."""
        host, _, port = self._address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
            self._heard = time.monotonic()
        except OSError as error:
            if time.monotonic() - self._heard > ABSENT_S:
                return f"the cluster's head at {self._address} has not answered for {ABSENT_S:.0f} s: {error}"
        return ""
