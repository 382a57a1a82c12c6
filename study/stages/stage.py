"""Gives every stage what it works with, and those of its trials that nobody has finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from study.journal.recorder import Recorder
from study.plan.plan import Plan
from study.plan.trial import PlannedTrial, StageName
from study.tune.phases import Phase, TrialList
from study.tune.tuner import StudyTuner
from study.workspace.folder import StudyFolder
from trainables.config.trial import Teacher, TrialConfig


@dataclass(slots=True)
class StageContext:
    """Holds what the stages of one launch share, and what an earlier stage leaves to a later one.

    Attributes:
        teachers: by pair label, once the stage ``teachers`` has been through.
        ended: why each search is at its end, by its label, once the stage ``search`` has been through.
        measured: whether it is known how many students share a GPU best.
    """

    plan: Plan
    folder: StudyFolder
    tuner: StudyTuner
    recorder: Recorder
    teachers: dict[str, Teacher] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    measured: bool = False


def measuring(context: StageContext) -> Callable[[], None] | None:
    """Return what measures how many students share a GPU best, before a phase of theirs takes the devices.

    None where that is not asked for, or was done in this launch; what an earlier launch measured is found.
    """
    if context.plan.spec.resources.gpus_per_trial != "measure" or context.measured:
        return None
    context.measured = True
    return lambda: context.tuner.measure_share(_heaviest(context))


def _heaviest(context: StageContext) -> TrialConfig:
    """Find the paper's configuration of the pair whose student computes most."""
    plan, name = context.plan, "student/multiply_adds"
    pair = max(plan.spec.each_pair, key=lambda pair: plan.costs(pair, [name])[name])
    method = plan.search_spaces[0].method if plan.search_spaces else plan.spec.methods[0]
    return plan.fixed_config(pair, method, context.teachers[pair.label])


def unfinished(context: StageContext, stage: StageName, trials: Sequence[PlannedTrial]) -> Iterator[Phase]:
    """Yield a phase of those ``trials`` that neither this study nor, by the run store, another has finished.

    What another study has finished is taken over into this one's journal, so that it is trained once.
    """
    unique = {planned.key: planned for planned in trials}
    left = []
    for planned in unique.values():
        record = context.recorder.records.get(planned.key)
        if record is not None and record.status == "done":
            continue
        result = context.folder.store.run(planned.key).result()
        if result is not None:
            context.recorder.adopt(planned, result)
        else:
            left.append(planned)
    context.recorder.stage(stage, len(unique), len(left))
    if left:
        yield Phase(TrialList(left), trials=len(unique))
