"""Goes through what a launch does, one file each: teachers, search, confirm, report.

A stage is a generator of :class:`~study.tune.phases.Phase`: it yields the trials it wants run and reads, when
it is resumed, what came out. :class:`StageContext` is what stages share.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.stages.pipeline import run_stages as run_stages
    from study.stages.stage import StageContext as StageContext
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
