"""Looks at a study while it runs: progress in the terminal, status, expected time of arrival.

:class:`ProgressDisplay` hears of trials from the launch; :class:`StudyOverview` and :class:`StudyStatus` are
read from the journal, by whoever asks.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.monitoring.device_time import DeviceTime as DeviceTime
    from study.monitoring.overview import BestTrial as BestTrial
    from study.monitoring.overview import StudyOverview as StudyOverview
    from study.monitoring.overview import TrialOverview as TrialOverview
    from study.monitoring.progress import ProgressDisplay as ProgressDisplay
    from study.monitoring.status import StudyStatus as StudyStatus
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
