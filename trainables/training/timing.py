"""Measures how the time of an epoch was spent: training, teacher, evaluation, compilation."""

from __future__ import annotations

import time

from trainables.engine.compilation import compilation_seconds
from trainables.engine.engine import Engine


class EpochTimer:
    """Measures how the seconds of an epoch were spent; what is neither training nor evaluation is idle.

    time/epoch_s: training, teacher and evaluation. time/teacher_s: the teacher, run or looked up, on the
    device's own clock (what a GPU still does for the student is not the teacher's). time/batch_ms: one step,
    without the teacher. time/compile_s: what compilation took before the epoch, where there was any; not part
    of the other times.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.began = time.perf_counter()
        self.teacher = self._teacher()
        self.times: dict[str, float] = {}

    def _teacher(self) -> float:
        return self.engine.teacher.seconds if self.engine.teacher is not None else 0.0

    def trained(self, steps: int) -> None:
        """Take the times of the epoch's training, which has just ended after so many ``steps``."""
        teacher = self._teacher() - self.teacher
        train = time.perf_counter() - self.began - teacher
        self.times = {
            "time/train_s": train,
            "time/teacher_s": teacher,
            "time/batch_ms": 1000 * train / max(steps, 1),
        }
        if compiled := compilation_seconds():
            self.times["time/compile_s"] = compiled

    def evaluated(self) -> dict[str, float]:
        """Return all times by name, once the epoch's evaluation has ended, too."""
        whole = time.perf_counter() - self.began
        spent = self.times["time/train_s"] + self.times["time/teacher_s"]
        return {**self.times, "time/evaluate_s": whole - spent, "time/epoch_s": whole}
