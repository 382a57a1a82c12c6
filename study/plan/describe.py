"""Says in words what a study would do: the dry run."""

from __future__ import annotations

import json

from study.plan.expected import most_confirm_trials
from study.plan.plan import Plan
from study.plan.search_space import Dimension
from study.spec.domains import label
from study.workspace.folder import StudyFolder
from trainables.config.serialization import to_plain


def describe(plan: Plan, folder: StudyFolder) -> str:
    """Show the resolved spec, and what it runs."""
    resolved = json.dumps(to_plain(plan.spec), indent=2)
    return "\n".join(["# resolved study", resolved, "", "# what it runs", describe_trials(plan, folder)])


def describe_trials(plan: Plan, folder: StudyFolder | None = None) -> str:
    """Show the trials and their resources, and the teachers that have to be trained.

    Args:
        folder: of the study; without it teachers count as not trained yet.
    """
    spec, data = plan.spec, plan.data
    rows = [("teachers", line) for line in describe_teachers(plan, folder)]
    for space in plan.search_spaces:
        pairs = ", ".join(pair.label for pair in space.pairs)
        count = f"{spec.budget.trials} trials of up to {plan.epochs} epochs over {pairs}"
        rows.append(("search", f"{space.label}: {count}"))
        if space.pair_domain is not None:
            rows.append(("", f"{space.chosen} in {', '.join(map(space.pair_label, space.pairs))}"))
        rows += [("", _dimension(each)) for each in space.dimensions()]
    confirmed = f"up to {most_confirm_trials(plan)} trials of up to {plan.epochs} epochs"
    rows.append(("confirm", f"{confirmed}: {spec.confirm.seeds} seeds of each configuration"))
    wanted = spec.resources
    gpus = wanted.gpus_per_trial
    devices = (
        f"{gpus:g} GPU"
        if isinstance(gpus, float | int)
        else "as much of a GPU as is measured to be best"
        if gpus
        else "1 GPU where there is one"
    )
    workers = f"{wanted.workers_per_trial} workers, each " if wanted.workers_per_trial > 1 else ""
    rows.append(("resources", f"each trial: {workers}{wanted.cpus_per_trial} CPU, {devices}"))
    rows.append(("data", f"{data.name}: {describe_images(plan)}"))
    rows += [("", line) for line in plan.raw.remarks]
    if plan.mixes:
        rows.append(("teachers", "run on every mixed batch: no view is seen twice, so none is remembered"))
    if plan.two_views:
        rows.append(("teachers", "run on the strong view of each image too: none is seen twice"))
    rows += [("results", str(folder.path))] if folder is not None else []
    return "\n".join(f"{name:10}{text}" for name, text in rows)


def _dimension(each: Dimension) -> str:
    """Write a dimension in words: ``milestones in Choice(...), where schedule is step``."""
    conditions = [f"{name} is {' or '.join(map(label, values))}" for name, values in each.when]
    where = f", where {' and '.join(conditions)}" if conditions else ""
    return f"{each.name} in {each.domain}{where}"


def describe_teachers(plan: Plan, folder: StudyFolder | None) -> list[str]:
    """Say of each teacher in a line where it comes from."""
    lines = []
    for pair in plan.spec.each_pair:
        planned = plan.teacher_trial(pair)
        if pair.weights is not None:
            lines.append(f"{pair.teacher}: from {pair.weights}, to be measured")
        elif folder is not None and folder.store.run(planned.key).result() is not None:
            lines.append(f"{pair.teacher}: trained already ({planned.key})")
        else:
            lines.append(
                f"{pair.teacher}: to be trained, {planned.config.training.epochs} epochs ({planned.key})"
            )
    return list(dict.fromkeys(lines))


def describe_images(plan: Plan) -> str:
    """Return how many classes a study uses, and how many images there are of these and all others."""
    images = f"{len(plan.raw.train_labels)} train and {len(plan.raw.test_labels)} test images"
    return f"{plan.num_classes} classes in use, {images} in all"
