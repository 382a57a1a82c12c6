"""Confirms, in the third stage, what the search chose: with its baselines, on all of train, over seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from study.plan.trial import PlannedTrial, Role
from study.results.frames import from_records
from study.results.seed_groups import confirmed
from study.results.trial_settings import settings_hash
from study.results.verdicts import open_settings
from study.search.history import SearchHistory
from study.search.objectives import Objectives
from study.spec.study import Pair
from study.stages.stage import StageContext, measuring, unfinished
from study.tune.phases import Phase
from trainables.config.trial import TrialConfig


def confirm(context: StageContext) -> Iterator[Phase]:
    """Run the confirming trials that nobody has finished; more seeds of those that are not told apart.

    Which get more seeds is read from the journal after each look, so that a launch that goes on decides as
    the one before it did.
    """
    planned = confirm_trials(context)
    asked = context.plan.spec.confirm
    most = dict.fromkeys((settings_hash(trial.config.to_dict()) for trial in planned), asked.seeds)
    for look, further in zip(asked.looks, [*asked.looks[1:], None], strict=True):
        wanted = [t for t in planned if t.config.seed <= most[settings_hash(t.config.to_dict())]]
        for phase in unfinished(context, "confirm", wanted):
            yield replace(phase, before=measuring(context))
        if further is None:
            return
        runs = from_records(context.plan.spec.name, context.recorder.records.values(), asked)
        undecided = open_settings(confirmed(runs), look) & {s for s, seeds in most.items() if seeds >= look}
        if not undecided:
            return
        most |= dict.fromkeys(undecided, further)


def confirm_trials(context: StageContext) -> list[PlannedTrial]:
    """Plan what is worth confirming: the best of each search, the paper's, and the baselines of their pairs.

    A configuration that is two of these runs once. A base loss that is searched by itself is not brought
    along untuned: the tuned are compared with the tuned. What is beyond ``Search.subject_to`` is left out.
    """
    plan, spec = context.plan, context.plan.spec
    objectives = Objectives.of(plan)
    chosen = _best(context)
    pairs = {pair.label: pair for pair in spec.each_pair if objectives.feasible({}, pair.label)}
    shown = {pair.label: pair for _, pair, _ in chosen} if chosen else pairs
    for pair in shown.values():
        teacher = context.teachers[pair.label]
        for method in spec.methods:
            if not plan.searches(method, pair):
                chosen.append((plan.fixed_config(pair, method, teacher), pair, "baseline"))
            elif spec.confirm.paper:
                chosen.append((plan.fixed_config(pair, method, teacher), pair, "paper"))
        tuned = {method.label for method in spec.methods if plan.searches(method, pair)}
        for config, of, _ in list(chosen):
            plain = plan.undecoupled(pair, config)
            if of is pair and plain is not None and plain.method.label not in tuned:
                chosen.append((plain, pair, "baseline"))
    planned: dict[str, PlannedTrial] = {}
    for config, pair, role in chosen:
        for trial in plan.confirm_trials(config, pair.label, role):
            planned.setdefault(trial.key, trial)
    return list(planned.values())


def _best(context: StageContext) -> list[tuple[TrialConfig, Pair, Role]]:
    """Choose the winners of each search; of one with several objectives its whole Pareto front."""
    plan, most = context.plan, context.plan.spec.confirm.best
    history = SearchHistory(plan, context.teachers, context.recorder.records)
    whole_front = len(history.objectives.names) > 1 and most > 0
    pairs = {pair.label: pair for pair in plan.spec.each_pair}
    return [
        (record.trial, pairs[record.pair], "best")
        for space in plan.search_spaces
        for record in history.objectives.ranked(history.of(space))[: None if whole_front else most]
    ]
