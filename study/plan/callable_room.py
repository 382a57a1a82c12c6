"""Makes the room ``study.plan`` callable: ``study.plan(...)`` plans a study."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.plan.plan import Plan
    from study.spec.study import StudySpec


class CallableRoom(ModuleType):
    """Makes of this package a function as well, since ``study.plan`` is the name of both."""

    def __call__(self, space: StudySpec | str | Path, overrides: Iterable[str] = ()) -> Plan:
        """Return every trial that a study may run, with its data looked up; train and write nothing.

        Args:
            space: a spec with a name, a space file, or the name of a shipped space.
            overrides: changes of single fields, as after ``--set``: ``budget.trials=20``.

        Raises:
            UserError: the study or its data are not as they must be.

        >>> import study
        >>> plan = study.plan("quickstart", ["data.options={'scenes': 100, 'test': 100}"])
        >>> [space.label.partition("/")[2] for space in plan.search_spaces]
        ['KD', 'SD-KD', 'CE']
        >>> plan.num_classes, plan.teacher_trial(plan.spec.pairs[0]).method
        (10, 'CE')
        """
        from study.loading import load
        from study.plan.resolve import resolved

        return resolved(load(space, overrides))
