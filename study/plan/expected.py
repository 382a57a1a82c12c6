"""Counts the trials and epochs that a plan has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from study.plan.plan import Plan
from study.plan.study_file import StudyFile
from study.spec.distillation import Distillation
from study.spec.domains import options_of
from study.spec.methods import plain
from study.spec.study import StudySpec
from study.spec.training import closed
from study.workspace.folder import StudyFolder, last_line
from trainables.config.serialization import to_plain

DECIDES_TRIALS = ("pairs", "methods", "search", "budget", "confirm")
"""Fields of a study that decide which trials it has."""


def most_confirm_trials(plan: Plan) -> int:
    """Count the most trials that the confirm stage can have.

    Each winner and each paper configuration may bring its base loss along, where that is not searched itself.
    """
    confirm, searched = plan.spec.confirm, len(plan.searched_methods)
    fixed = len(plan.spec.methods) - searched
    tuned = {method.label for method in plan.searched_methods}
    alone = sum(all(_bases(v) <= tuned for v in method.variants()) for method in plan.searched_methods)
    pairs = len(plan.spec.each_pair)
    if searched and plan.spec.search.pairs == "search":
        pairs = min(searched * confirm.best, pairs)
    each = (2 * searched - alone) * (confirm.best + confirm.paper) + fixed
    return pairs * each * confirm.looks[-1]


def _bases(method: Distillation) -> set[str]:
    """List the base losses, each by itself, that may stand beside a decoupled ``method``."""
    if method.base is None or method.plain:
        return set()
    switches = {"no" if of == "no" else "region" for of in options_of(method.standardize)}
    return {
        plain(str(base), standardize=switch).label for base in options_of(method.base) for switch in switches
    }


@dataclass(frozen=True, slots=True)
class ExpectedTrials:
    """Counts what a study consists of, so far as can be told beforehand.

    >>> expected = ExpectedTrials(epochs={"search": 240}, trials={"search": 40})
    >>> expected.epochs["search"] * expected.trials["search"]
    9600

    Attributes:
        epochs: of a whole trial of each stage.
        trials: of each stage.
    """

    epochs: Mapping[str, int]
    trials: Mapping[str, int]

    @classmethod
    def of(cls, plan: Plan) -> ExpectedTrials:
        """Count those of a plan none of which is done."""
        spec = plan.spec
        epochs = plan.epochs
        trained = any(pair.weights is None for pair in spec.each_pair)
        teachers = closed(spec.teacher_training or spec.training).epochs if trained else 1
        return cls(
            epochs={"teachers": teachers, "search": epochs, "confirm": epochs},
            trials={
                "teachers": len({(pair.teacher, pair.weights) for pair in spec.each_pair}),
                "search": spec.budget.trials * len(plan.search_spaces),
                "confirm": most_confirm_trials(plan),
            },
        )


def expects_trials(folder: StudyFolder, spec: StudySpec) -> bool:
    """Tell whether a launch may expect to run trials, so that Ray is started early.

    That is where nobody runs the study now, and it did not end well, or another one did, with fewer trials.
    """
    if folder.launcher() is not None:
        return False
    if not folder.journal.exists() or b'"outcome":"done"' not in last_line(folder.journal):
        return True
    before = StudyFile.read(folder).fields
    return any(before.get(name) != to_plain(getattr(spec, name)) for name in DECIDES_TRIALS)


def trials_a_kind(plan: Plan, at_once: int) -> int:
    """Return how many of a search's trials each of ``at_once`` processes may expect to share compiled code.

    Those of one pair, base loss and scale set do; where a field has no list of values, it counts as one.
    """
    spaces = plan.search_spaces
    kinds = sum(
        len(space.pairs) * _options(variant.base) * _options(variant.scales)
        for space in spaces
        for variant in space.method.variants()
    )
    return max(1, plan.spec.budget.trials * len(spaces) // (at_once * max(1, kinds)))


def _options(value: Any) -> int:
    return max(1, len(list(options_of(value))))
