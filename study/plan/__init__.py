"""Resolves a spec against its data: every trial a study may run, as a TrialConfig.

:class:`Plan` makes the trials, ``resolve.py`` makes the plan, ``checks.py`` holds what the parts of a spec
and its data must have in common. ``study.plan(...)`` is this package, called.
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.plan.expected import ExpectedTrials as ExpectedTrials
    from study.plan.plan import STAGES as STAGES
    from study.plan.plan import Plan as Plan
    from study.plan.search_space import SearchSpace as SearchSpace
    from study.plan.trial import PlannedTrial as PlannedTrial
else:
    from study.plan.callable_room import CallableRoom
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
    sys.modules[__name__].__class__ = CallableRoom
