"""Opens a study of a results folder as an object: trials as frames, best configurations, students."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from study.errors import UserError
from study.monitoring.overview import StudyOverview
from study.results.comparison import best_by_pair
from study.results.folder_reader import read_folder
from study.results.frames import RunFrames, gather
from study.results.trial_keys import complete_key
from study.workspace.folder import StudyFolder, find_study
from trainables.config.trial import TrialConfig
from trainables.errors import suggestion

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from study.monitoring.overview import BestTrial


def open(results: str | Path, name: str) -> Study:
    """Open the study ``name`` of a results folder: finished, interrupted or running.

    Raises:
        UserError: there is no such study; says which there are.
    """
    return Study(find_study(Path(results).expanduser(), name))


class Study:
    """Reads one study: what :func:`study.run` returns and :func:`study.open` finds.

    The journal is read once, when first needed: open a running study again to see how it got on.
    Accuracies are in percent.

    >>> import study
    >>> found = study.open("docs/results", "quickstart")  # doctest: +SKIP
    >>> found.trials.groupby("stage").size()  # doctest: +SKIP
    >>> found.student(pair="resnet20-wrn_10_1")  # doctest: +SKIP

    Attributes:
        folder: names its files.
    """

    def __init__(self, folder: StudyFolder) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        counts = self.trials["status"].value_counts()
        held = ", ".join(f"{number} {status}" for status, number in counts.items())
        return f"<Study {self.folder.name} in {self.folder.results}: {held or 'no trials yet'}>"

    @cached_property
    def _runs(self) -> RunFrames:
        return gather([read_folder(self.folder.results, self.folder.name)])

    @cached_property
    def _overview(self) -> StudyOverview:
        return StudyOverview.read(self.folder)

    @property
    def trials(self) -> pd.DataFrame:
        """Frame of one row a trial, in the order in which they began, with the columns of ``trials.csv``.

        :data:`study.results.frames.TRIAL_COLUMNS` says what each of them is.
        """
        return self._runs.trials

    def metrics(self) -> pd.DataFrame:
        """Read every metric of every epoch: ``trial_key``, ``step`` (epochs from 1), ``name``, ``value``."""
        from study.journal.journal import read_records
        from study.results.frames import metrics_frame

        return metrics_frame(read_records(self.folder.journal).values())

    def best(self) -> list[BestTrial]:
        """Return the best trial of each search, and the paper's configuration of its pair beside it.

        By the metric that the search maximises, after the last epoch; whole trials before stopped ones.
        """
        return self._overview.best()

    def config(self, trial: str) -> TrialConfig:
        """Return all that decided the result of the trial whose key begins with ``trial``."""
        keys = list(self.trials["trial_key"])
        return TrialConfig.from_dict(self._runs.configs[keys.index(self._key(trial))])

    def summary(self) -> pd.DataFrame:
        """Return every confirmed configuration: test top-1 as mean, std and n over seeds, gain and p."""
        from study.report.tables.summary import summary
        from study.results.seed_groups import confirmed

        return summary(confirmed(self._runs))

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the study's own table, and those of the paper's that it ran something of, by name."""
        from study.report.render.text import wide
        from study.report.tables.paper_grid import paper_grids
        from study.report.tables.study_table import study_grid
        from study.results.seed_groups import confirmed

        found = confirmed(self._runs)
        grids = [study_grid(found, ("last",)), *(grid for grid in paper_grids(found, ("last",)) if grid.ran)]
        return {grid.name: wide(grid) for grid in grids}

    def student(self, trial: str | None = None, *, pair: str | None = None) -> nn.Module:
        """Load a trained student, on the CPU in evaluation mode.

        It takes images [B, 3, H, W] normalised by the data set's ``mean`` and ``std`` (see
        :func:`trainables.data.load_raw`) and returns logits [B, K].

        Args:
            trial: key of a finished trial, or its beginning; by default the student that the report stage
                registers with MLflow: the best configuration of the pair, chosen by the search, first seed.
            pair: ``teacher-student`` of that default; needed where the study has several pairs.

        Raises:
            UserError: no such trial, or it was stopped or failed, so that it left no student.
        """
        from trainables.training.result import load_student

        key = self._best_student(pair) if trial is None else self._key(trial)
        network = load_student(self.folder.store.run(key))
        if network is None:
            raise UserError(f"trial {key} of study '{self.folder.name}' left no student: it is not done")
        return network

    def _key(self, beginning: str) -> str:
        return complete_key(self.folder.name, list(self.trials["trial_key"]), beginning)

    def _best_student(self, pair: str | None) -> str:
        best = {pair: group for pair, (group, _) in best_by_pair(self._runs).items() if group.teacher}
        if not best:
            raise UserError(f"study '{self.folder.name}' has confirmed no configuration yet; name a trial")
        if pair is None and len(best) > 1:
            raise UserError(f"study '{self.folder.name}' has several pairs: name one of {', '.join(best)}")
        if pair is not None and pair not in best:
            raise UserError(
                f"study '{self.folder.name}' confirmed nothing on '{pair}'; {suggestion(pair, best)}"
            )
        return str(best[pair or next(iter(best))].first["trial_key"])
