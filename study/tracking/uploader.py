"""Sends the journal to MLflow, in a background thread.

Sending a record again, after a crash or because MLflow was away, adds nothing twice. While MLflow cannot be
reached the study goes on; the journal keeps what has to be sent, and it is sent when the server is back. What
MLflow refuses for good is told and not sent again.

The thread has ended when :meth:`MlflowUploader.close` returns, whatever it was at: what it uses, native
libraries and temporary files, is taken away when the process ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from study.journal.record import TrialRecord
from study.journal.recorder import TrialObserver
from study.tracking.client import connect
from study.tracking.refusals import refusal
from study.tracking.run_writer import RunWriter
from study.tracking.study_run import StudyOutcome
from study.tracking.system_metrics import system_metrics
from study.workspace.folder import StudyFolder
from trainables.errors import one_line

RETRY_S = 10.0

BEGIN_S = 20.0
"""Seconds after the launch at which MLflow is opened, or with the first report: until then the cores are
needed to get a first trial going. On two cores a small one reports after about 15."""

OPENING_S = 10.0
"""Seconds that it takes to import MLflow and to make its database, or more."""

LEAVING_S = 40.0
"""Seconds for a request that is under way to end; :func:`study.tracking.client.client_at` bounds each."""


class Leaving(BaseException):
    """Ends what the thread is at, between two statements of a database."""


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
        self._leaving = False
        self._outcome: StudyOutcome | None = None
        self._away = False
        self._refused: set[str] = set()
        self._complete = False
        self._mirror: RunWriter | None = None
        self._system_metrics = ExitStack()
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

        What is under way then is broken off at its next statement or request, and the thread waited for.

        Args:
            outcome: of the study, if it is finished.
        """
        with self._changed:
            self._outcome = outcome
            self._closing = True
            self._leaving = self._mirror is None and timeout < OPENING_S
            self._changed.notify()
        self._going.set()
        self._thread.join(LEAVING_S if self._leaving else timeout)
        self._leaving = True
        self._thread.join(LEAVING_S)
        return self._complete

    def _queue(self, record: TrialRecord) -> None:
        copy = replace(record, history=record.history.snapshot(), times=list(record.times))
        with self._changed:
            self._pending[record.key] = copy
            self._changed.notify()

    def _work(self) -> None:
        self._going.wait(BEGIN_S)
        if self._leaving:
            return
        try:
            with self._system_metrics, self._broken_off():
                while self._send_next():
                    pass
        except Leaving:
            pass

    @contextmanager
    def _broken_off(self) -> Iterator[None]:
        """Raise :class:`Leaving` at each statement of a database in this thread, once it is to leave.

        MLflow takes seconds to make a database, in which nothing else could be told to it.
        """
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        def look(*statement: object) -> None:
            if self._leaving and threading.current_thread() is self._thread:
                raise Leaving

        event.listen(Engine, "before_cursor_execute", look)
        try:
            yield
        finally:
            event.remove(Engine, "before_cursor_execute", look)

    def _send_next(self) -> bool:
        """Send one record, or the study's outcome at the end; return whether there may be more."""
        with self._changed:
            while not self._pending and not self._closing:
                self._changed.wait()
            record = self._pending.pop(next(iter(self._pending)), None) if self._pending else None
        if self._leaving:
            return False
        if record is None and self._outcome is None:
            self._complete = not self._refused
            return False
        try:
            if self._mirror is None:
                self._mirror = RunWriter(connect(self.folder), self.folder, self.spec)
                load = system_metrics(self._mirror.parent, self.folder.mlflow_uri)
                self._system_metrics.enter_context(load)
            if record is not None:
                self._mirror.send(record)
            else:
                assert self._outcome is not None
                self._mirror.finish_study(self._outcome)
        except Exception as error:
            if (reason := refusal(error, self.folder.mlflow_uri)) is not None:
                return self._drop(record, reason)
            self._put_back(record, error)
            return True
        if self._away:
            self._away = False
            self._say("MLflow is back; sending what it missed")
        self._complete = record is None and not self._refused
        return record is not None

    def _drop(self, record: TrialRecord | None, reason: str) -> bool:
        """Tell what is refused, once; return whether anything else may be taken."""
        if not self._refused:
            self._say(f"{reason} (the study goes on; once that is mended, the same command sends the rest)")
        self._refused.add("" if record is None else record.key)
        return self._mirror is not None and record is not None

    def _put_back(self, record: TrialRecord | None, error: Exception) -> None:
        """Keep a record for later; wait a while, for as long as there is time."""
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
