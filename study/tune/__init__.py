"""Runs trials on Ray Tune, under the names that Tune uses: tuner, searcher, callback and scheduler.

:class:`StudyTuner` builds the run, :class:`PhaseSearcher` gives it one stage after the other,
:class:`TuneCallback` carries reports to the study, :class:`StudyScheduler` ends trials that the search stops.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.tune.callback import TuneCallback as TuneCallback
    from study.tune.phases import Phase as Phase
    from study.tune.phases import TrialList as TrialList
    from study.tune.phases import TrialSource as TrialSource
    from study.tune.scheduler import StudyScheduler as StudyScheduler
    from study.tune.searcher import PhaseSearcher as PhaseSearcher
    from study.tune.tuner import StudyTuner as StudyTuner
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
