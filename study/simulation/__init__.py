"""Replays recorded learning curves under stopping rules, orders and budgets; in arrays, without training.

:func:`read_csv` and :func:`read_study` find curves, :class:`CurveSet` holds those of one search,
``simulate.py`` replays them under the rules of ``competitors.py``, where a further one is a line.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.simulation.competitors import COMPETITORS as COMPETITORS
    from study.simulation.competitors import written as written
    from study.simulation.curve_set import CurveSet as CurveSet
    from study.simulation.curve_set import read_csv as read_csv
    from study.simulation.recorded_study import read_study as read_study
    from study.simulation.simulate import Outcome as Outcome
    from study.simulation.simulate import ReplayPlan as ReplayPlan
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
