"""Gives finished trials as data: frames, seed groups, statistics, comparisons.

:func:`read_folder` finds a study, :func:`gather` makes :class:`RunFrames` of studies, :class:`SeedGroup`
holds the runs of one configuration over seeds. A column of ``trials.csv`` is made in ``frames.py``.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.results.comparison import Comparison as Comparison
    from study.results.comparison import compare as compare
    from study.results.folder_reader import read_folder as read_folder
    from study.results.frames import RunFrames as RunFrames
    from study.results.frames import gather as gather
    from study.results.loaded_study import LoadedStudy as LoadedStudy
    from study.results.seed_groups import SeedGroup as SeedGroup
    from study.results.seed_groups import confirmed as confirmed
    from study.results.statistics import Gain as Gain
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
