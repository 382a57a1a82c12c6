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
from trainables.data.raw import RawData
from trainables.models.published import PublishedWeights, fetch
from trainables.teacher.importing import file_teacher, given_state

log = logging.getLogger(__name__)

MOST_PIXEL_SHIFT = 0.02
"""Difference of means or standard deviations, of pixels in [0, 1], from which a teacher is warned of."""

MIN_TEACHER_SKILL = 0.05
"""A teacher is called near chance below this (top1 - chance) / (100 - chance)."""


def train_teachers(context: StageContext) -> Iterator[Phase]:
    """Train or measure the teachers that nobody has yet, then file them all in ``context.teachers``.

    Raises:
        StageFailed: a teacher could not be trained, so that nothing can learn from it.
    """
    for network in context.plan.published:
        found = fetch(network)
        file_teacher(context.folder.store, network, found.state, found.about)
    planned = {pair.label: _teacher_trial(context, pair) for pair in context.plan.spec.each_pair}
    yield from unfinished(context, "teachers", list(planned.values()))
    for pair in context.plan.spec.each_pair:
        context.teachers[pair.label] = _file(context, planned[pair.label])
    for one in {trial.key: trial for trial in planned.values()}.values():
        _warn_near_chance(context, one)


def _teacher_trial(context: StageContext, pair: Pair) -> PlannedTrial:
    """Plan what trains the teacher of ``pair``, or measures it where its weights are given."""
    plan = context.plan
    if pair.weights is None:
        return plan.teacher_trial(pair)
    teacher = str(pair.teacher)
    form, file = plan.large_images(teacher), pair.weight_file
    state = given_state(file or pair.weights, teacher, plan.num_classes, plan.image_size, form)
    if file is None:
        _warn_other_pixels(plan.raw, fetch(teacher, pair.weights), teacher)
    about = {"file": file.name if file else pair.weights}
    return plan.given_teacher_trial(file_teacher(context.folder.store, teacher, state, about))


def _warn_other_pixels(raw: RawData, found: PublishedWeights, teacher: str) -> None:
    """Warn where published weights are used to pixels normalised by other numbers than these data's."""
    theirs, ours = (*found.mean, *found.std), (*raw.mean, *raw.std)
    if max(abs(one - other) for one, other in zip(theirs, ours, strict=True)) > MOST_PIXEL_SHIFT:
        used, given = (", ".join(f"{value:.3f}" for value in values) for values in (theirs, ours))
        log.warning(
            f"teacher {teacher} was trained on pixels normalised by mean and std {used}; these data's are "
            f"{given}: its accuracy here may be below the published one"
        )


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
