"""Writes a study to MLflow, and reads it back.

:class:`MlflowUploader` sends what is recorded from a thread of its own, so that a server that is away delays
nothing; :class:`RunWriter` knows how a trial looks as a run, ``run_reader.py`` the way back.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.tracking.model_registry import BestStudent as BestStudent
    from study.tracking.run_reader import read_mlflow as read_mlflow
    from study.tracking.run_writer import RunWriter as RunWriter
    from study.tracking.study_run import StudyOutcome as StudyOutcome
    from study.tracking.uploader import MlflowUploader as MlflowUploader
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
