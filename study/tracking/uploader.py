"""Sends the journal to MLflow, in a background thread.

Sending a record again, after a crash or because MLflow was away, adds nothing twice. While MLflow cannot be
reached the study goes on; the journal keeps what has to be sent, and it is sent when the server is back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from study.journal.record import TrialRecord
from study.journal.recorder import TrialObserver
from study.tracking.client import connect
from study.tracking.run_writer import RunWriter, StudyOutcome
from study.workspace.folder import StudyFolder
from trainables.errors import one_line

RETRY_S = 10.0

BEGIN_S = 20.0
"""Seconds after the launch at which MLflow is opened, or with the first report: until then the cores are
needed to get a first trial going. On two cores a small one reports after about 15."""


class MlflowUploader(TrialObserver):
    """Watches a study and brings its records to MLflow, some time later."""

    def __init__(self, folder: StudyFolder, spec: dict[str, Any], say: Callable[[str], None]) -> None:
        self.folder = folder
        self.spec = spec
        self._say = say
        self._pending: dict[str, TrialRecord] = {}
        self._changed = threading.Condition()
        self._going = threading.Event()
        self._closing = False
        self._outcome: StudyOutcome | None = None
        self._away = False
        self._mirror: RunWriter | None = None
        self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)
        self._thread.start()

    def began(self, record: TrialRecord) -> None:
        """Queue the trial's record, to be sent by the thread."""
        self._queue(record)

    def reported(self, record: TrialRecord, epoch: int) -> None:
        """Queue the trial's record, to be sent by the thread."""
        self._going.set()
        self._queue(record)

    def ended(self, record: TrialRecord) -> None:
        """Queue the trial's record, to be sent by the thread."""
        self._queue(record)

    def replay(self, records: dict[str, TrialRecord]) -> None:
        """Queue all trials of a journal; what MLflow has already is not sent again."""
        for record in records.values():
            self._queue(record)

    def close(self, timeout: float, outcome: StudyOutcome | None = None) -> bool:
        """Send what is queued, for at most ``timeout`` seconds; tell whether all of it was sent.

        Args:
            outcome: of the study, if it is finished.
        """
        with self._changed:
            self._outcome = outcome
            self._closing = True
            self._changed.notify()
        self._going.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _queue(self, record: TrialRecord) -> None:
        copy = replace(record, history=record.history.snapshot(), times=list(record.times))
        with self._changed:
            self._pending[record.key] = copy
            self._changed.notify()

    def _work(self) -> None:
        self._going.wait(BEGIN_S)
        while True:
            with self._changed:
                while not self._pending and not self._closing:
                    self._changed.wait()
                record = self._pending.pop(next(iter(self._pending)), None) if self._pending else None
            try:
                if self._mirror is None:
                    self._mirror = RunWriter(connect(self.folder), self.folder, self.spec)
                if record is not None:
                    self._mirror.send(record)
                elif self._outcome is None:
                    return
                else:
                    self._mirror.finish_study(self._outcome)
                    return
            except Exception as error:
                self._put_back(record, error)
            else:
                if self._away:
                    self._away = False
                    self._say("MLflow is back; sending what it missed")

    def _put_back(self, record: TrialRecord | None, error: Exception) -> None:
        with self._changed:
            if record is not None:
                self._pending.setdefault(record.key, record)
            if not self._away:
                self._away = True
                self._say(
                    f"MLflow is away ({one_line(error)}); "
                    "the study goes on and sends everything when it is back"
                )
            if not self._closing:
                self._changed.wait(RETRY_S)
                return
        time.sleep(0.5)
