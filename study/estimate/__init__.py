"""Says before a study is launched how long it takes and what that costs.

:func:`measured_times` times a few steps of each pair here and keeps them in the store, ``devices.py`` knows
how fast other devices are and what machines cost, :func:`estimated` puts the hours together.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.estimate.devices import Fleet as Fleet
    from study.estimate.devices import fleet_of as fleet_of
    from study.estimate.duration import StudyHours as StudyHours
    from study.estimate.duration import estimated as estimated
    from study.estimate.probe import StepTimes as StepTimes
    from study.estimate.step_times import measured_times as measured_times
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
