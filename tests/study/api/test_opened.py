"""``study.open``: a made study as frames, best configurations and tables; a real student as a network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch

import study
from study.errors import UserError
from study.journal.journal import read_records
from study.results.frames import TRIAL_COLUMNS
from tests.study.made import records, write_folder
from trainables.config import TrialConfig
from trainables.data.dataset import DataSet
from trainables.models import build
from trainables.storage.run_store import RunStore
from trainables.training.result import finish


def test_importing_study_and_its_spec_imports_nothing_heavy() -> None:
    heavy = ("torch", "ray", "pandas", "numpy", "optuna", "mlflow")
    code = f"import sys, study; study.spec.KD(); print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


class TestStudy:
    """What a study of the results folder tells."""

    @pytest.fixture
    def made(self, results: Path) -> study.Study:
        return study.open(results, "made")

    def test_trials_are_the_frame_of_the_csv(self, made: study.Study) -> None:
        assert list(made.trials.columns) == TRIAL_COLUMNS
        assert set(made.trials["trial_key"]) == set(read_records(made.folder.journal))
        assert repr(made).startswith("<Study made in ")

    def test_metrics_hold_every_epoch(self, made: study.Study) -> None:
        known = read_records(made.folder.journal).values()
        assert made.metrics().groupby("trial_key")["step"].max().sum() == sum(len(r.history) for r in known)

    def test_the_best_of_each_search_comes_with_its_configuration(self, made: study.Study) -> None:
        (best,) = made.best()
        searched = made.trials[(made.trials["stage"] == "search") & (made.trials["status"] == "done")]
        assert best.trial.value == searched["val/top1"].max()
        assert made.config(best.trial.key[:12]).trial_key == best.trial.key

    def test_tables_hold_what_the_report_writes(self, made: study.Study, reported: Path) -> None:
        tables = made.tables()
        assert {"study", "table1"} <= set(tables)
        for name, table in tables.items():
            text = table.to_csv(index=False)
            assert text == (reported / "tables" / f"{name}.csv").read_text()
        assert made.summary().to_csv(index=False) == (reported / "tables" / "summary.csv").read_text()

    @pytest.mark.parametrize(
        ("ask", "part"),
        [
            ({"trial": "nothing"}, "has no trial 'nothing'"),
            ({"pair": "wrn_40_2-vgg9"}, "did you mean 'wrn_40_2-vgg8'"),
            ({}, "left no student"),  # nothing of this study was ever trained
        ],
    )
    def test_a_student_that_is_not_there_is_one_line(
        self, made: study.Study, ask: dict[str, str], part: str
    ) -> None:
        with pytest.raises(UserError, match=part):
            made.student(**ask)


def test_a_study_that_is_not_there_is_one_line(results: Path) -> None:
    with pytest.raises(UserError, match=r"no study 'mad' in .*; did you mean 'made'"):
        study.open(results, "mad")


def test_a_student_is_the_network_that_was_filed(tmp_path: Path) -> None:
    """Without a key it is the best configuration's, of the run with the first seed."""
    made = [item for item in records() if item.stage == "confirm" and item.role == "best"]
    write_folder(tmp_path, "made", made)
    store, network = RunStore(tmp_path / "_store"), build("vgg8", 100)
    config = TrialConfig.from_dict(made[0].config)
    assert config.seed == 1
    data = SimpleNamespace(num_classes=100, image_size=(32, 32))
    with store.open_run(config) as run:
        finish(config, run, network, [{"epoch": 1}], cast(DataSet, data))
    found, images = study.open(tmp_path, "made"), torch.randn(2, 3, 32, 32)
    for loaded in (found.student(), found.student(made[0].key[:10]), found.student(pair=made[0].pair)):
        assert not loaded.training
        torch.testing.assert_close(loaded(images), network.eval()(images), rtol=0, atol=0)
    with pytest.raises(UserError, match="left no student"):
        found.student(made[1].key)
