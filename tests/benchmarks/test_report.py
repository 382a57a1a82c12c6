"""The made study of the benchmark is the same in the journal and in MLflow, and looks like a study."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.report import EPOCHS, fill
from study.results.folder_reader import read_folder
from study.results.frames import gather
from study.tracking.run_reader import read_mlflow

RUNS = 110


def test_both_places_hold_the_same_study(tmp_path: Path) -> None:
    fill(tmp_path / "results", RUNS)
    folder = gather([read_folder(tmp_path / "results", "made")])
    stored = gather(read_mlflow(f"sqlite:///{tmp_path / 'results' / 'mlflow.db'}", ["made"]))
    frames = [runs.trials.sort_values("trial_key").reset_index(drop=True) for runs in (folder, stored)]
    times = ["started", "ended"]
    pd.testing.assert_frame_equal(frames[0].drop(columns=times), frames[1].drop(columns=times))
    assert set(folder.trials["epochs"]) == {EPOCHS}
    assert set(folder.trials["stage"]) == {"teachers", "search", "confirm"}
    assert folder.trials.loc[folder.trials["stage"] == "confirm", "test/top1"].notna().all()
