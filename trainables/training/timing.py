"""Measures how the time of an epoch was spent: training, teacher, evaluation, compilation."""

from __future__ import annotations

import time

from trainables.engine.compilation import compilation_seconds
from trainables.engine.step import TeacherOutputs


class EpochTimer:
    """Measures how the seconds of an epoch were spent; what is neither training nor evaluation is idle.

    time/epoch_s: training, teacher and evaluation. time/teacher_s: the teacher, run or looked up, on the
    device's own clock (what a GPU still does for the student is not the teacher's). time/batch_ms: one step,
    without the teacher. time/compile_s: what compilation took before the epoch and in it (its evaluation may
    be recorded), where there was any; not part of the other times.

    Args:
        source: of the teacher's outputs; None where there is no teacher.
    """

    def __init__(self, source: TeacherOutputs | None) -> None:
        self.source = source
        self.compiled = compilation_seconds()
        self.began = time.perf_counter()
        self.teacher = self._teacher()
        self.times: dict[str, float] = {}

    def _teacher(self) -> float:
        return self.source.seconds if self.source is not None else 0.0

    def trained(self, steps: int) -> None:
        """Take the times of the epoch's training, which has just ended after so many ``steps``."""
        teacher = self._teacher() - self.teacher
        train = self._elapsed() - teacher
        self.times = {
            "time/train_s": train,
            "time/teacher_s": teacher,
            "time/batch_ms": 1000 * train / max(steps, 1),
        }

    def _elapsed(self) -> float:
        """Return the seconds since the epoch began, without what was compiled in it."""
        now, compiled = time.perf_counter(), compilation_seconds()
        self.compiled += compiled
        self.began += compiled
        return now - self.began

    def evaluated(self) -> dict[str, float]:
        """Return all times by name, once the epoch's evaluation has ended, too; nothing need be trained."""
        whole = self._elapsed()
        spent = self.times.get("time/train_s", 0.0) + self.times.get("time/teacher_s", 0.0)
        compiled = {"time/compile_s": self.compiled} if self.compiled else {}
        return {**self.times, **compiled, "time/evaluate_s": whole - spent, "time/epoch_s": whole}
