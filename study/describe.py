"""What a study would do, in words: the dry run."""

from __future__ import annotations

import json

from study.folder import StudyFolder
from study.plan import Plan
from trainables.strict import to_plain


def describe(plan: Plan, folder: StudyFolder) -> str:
    """The resolved spec, the trials and their resources, the teachers that have to be trained."""
    spec = plan.spec
    lines = ["# resolved study", json.dumps(to_plain(spec), indent=2), "", "# what it would run"]
    teachers = {}
    for pair in spec.pairs:
        job = plan.teacher_job(pair)
        if pair.weights is not None:
            teachers[pair.label] = f"{pair.teacher}: from {pair.weights}"
        else:
            known = folder.store.run(job.key).result() is not None
            teachers[job.key] = (
                f"{pair.teacher}: {'trained already' if known else f'to be trained, {job.config.training.epochs} epochs'} ({job.key})"
            )
    lines += [f"teachers  {line}" for line in teachers.values()]
    for arm in plan.arms:
        names = ", ".join(f"{name} in {domain}" for name, _, domain in arm.method.domains())
        pairs = ", ".join(pair.label for pair in arm.pairs)
        lines.append(
            f"search    {arm.label}: {spec.search.trials} trials of up to {spec.training.epochs} epochs over {pairs}; {names}"
        )
    lines.append(
        f"confirm   up to {confirm_trials(plan)} trials of {spec.training.epochs} epochs ({spec.confirm.seeds} seeds)"
    )
    resources = spec.resources
    gpus = (
        "1 GPU where there is one"
        if resources.gpus_per_trial is None
        else f"{resources.gpus_per_trial:g} GPU"
    )
    lines.append(f"resources each trial: {resources.cpus_per_trial} CPU, {gpus}")
    lines.append(
        f"data      {plan.data.name}: {plan.num_classes} classes, {len(plan.raw.train_labels)} train and {len(plan.raw.test_labels)} test images"
    )
    lines.append(f"results   {folder.path}")
    return "\n".join(lines)


def confirm_trials(plan: Plan) -> int:
    """The most trials the confirm stage can have."""
    spec = plan.spec
    searched = len(spec.searched)
    winners = searched * spec.confirm.best
    pairs = min(winners, len(spec.pairs)) if searched and spec.search.pairs == "search" else len(spec.pairs)
    fixed = len(spec.methods) - searched
    each = searched * (2 * spec.confirm.best + (2 if spec.confirm.paper else 0)) + fixed
    return pairs * each * spec.confirm.seeds
