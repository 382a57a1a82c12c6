"""Trains or measures, in the first stage, each pair's teacher, and files it under the hash of its weights."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from study.errors import StageFailed
from study.plan.trial import PlannedTrial
from study.spec.study import Pair
from study.stages.stage import StageContext, unfinished
from study.tune.phases import Phase
from trainables.config.trial import Teacher
from trainables.teacher.importing import file_teacher, read_teacher

log = logging.getLogger(__name__)

MIN_TEACHER_SKILL = 0.05
"""A teacher is called near chance below this (top1 - chance) / (100 - chance)."""


def train_teachers(context: StageContext) -> Iterator[Phase]:
    """Train or measure the teachers that nobody has yet, then file them all in ``context.teachers``.

    Raises:
        StageFailed: a teacher could not be trained, so that nothing can learn from it.
    """
    planned = {pair.label: _teacher_trial(context, pair) for pair in context.plan.spec.each_pair}
    yield from unfinished(context, "teachers", list(planned.values()))
    for pair in context.plan.spec.each_pair:
        context.teachers[pair.label] = _file(context, planned[pair.label])
    for one in {trial.key: trial for trial in planned.values()}.values():
        _warn_near_chance(context, one)


def _teacher_trial(context: StageContext, pair: Pair) -> PlannedTrial:
    """Plan what trains the teacher of ``pair``, or measures it where its weights are given."""
    plan = context.plan
    if pair.weight_file is None:
        return plan.teacher_trial(pair)
    teacher = str(pair.teacher)
    form = plan.large_images(teacher)
    state = read_teacher(pair.weight_file, teacher, plan.num_classes, plan.image_size, form)
    about = {"file": pair.weight_file.name}
    return plan.given_teacher_trial(file_teacher(context.folder.store, teacher, state, about))


def _warn_near_chance(context: StageContext, planned: PlannedTrial) -> None:
    """Warn where a teacher knows next to nothing of these data, prepared in this way."""
    chance = 100 / context.plan.num_classes
    top1 = context.recorder.records[planned.key].final.get("test/top1")
    if top1 is not None and top1 - chance < MIN_TEACHER_SKILL * (100 - chance):
        remedy = (
            "are its classes and the data's preparation the ones it was trained with?"
            if planned.role == "given"
            else "has it enough epochs, and a rate that suits it (teacher_training)?"
        )
        known = f"a test top-1 of {top1:.2f} %, chance has {chance:.2f} %"
        log.warning(f"teacher {planned.config.student} has {known}: {remedy}")


def _file(context: StageContext, planned: PlannedTrial) -> Teacher:
    """File a finished teacher under the hash of its weights, where the students' trials look for it."""
    run = context.folder.store.run(planned.key)
    result = run.result()
    if result is None:
        record = context.recorder.records.get(planned.key)
        done = "measured" if planned.role == "given" else "trained"
        reason = record.reason if record else "no run"
        raise StageFailed(f"teacher {planned.config.student} was not {done}: {reason}")
    about = {
        "name": planned.config.student,
        "weights": result["weights"],
        "trial_key": planned.key,
        "data": planned.config.data.name,
        "num_classes": result["num_classes"],
        "test/top1": result["history"][-1].get("test/top1"),
    }
    context.folder.store.file_teacher(result["weights"], run.student().read_bytes(), about)
    return Teacher(name=planned.config.student, weights=result["weights"])
