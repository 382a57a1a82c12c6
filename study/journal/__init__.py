"""Keeps what happened in a study, append-only: every other file of a study can be made anew from it.

:class:`Recorder` takes what a launch reports, writes it to the :class:`Journal` and then tells those that
watch; :class:`TrialRecord` is a trial folded from its lines, :class:`LearningCurves` are the metrics of all
trials as arrays. A new kind of line is a dataclass in ``notes.py``.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.journal.curves import LearningCurves as LearningCurves
    from study.journal.journal import Journal as Journal
    from study.journal.journal import read_outline as read_outline
    from study.journal.journal import read_records as read_records
    from study.journal.record import MetricHistory as MetricHistory
    from study.journal.record import TrialRecord as TrialRecord
    from study.journal.recorder import Recorder as Recorder
    from study.journal.recorder import TrialObserver as TrialObserver
    from study.journal.replica import JournalReplica as JournalReplica
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
