"""A results folder, MLflow's database and MLflow's client give the same frame, whatever happened in it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from study.errors import TrackingError, UserError
from study.journal.curves import LearningCurves
from study.journal.journal import read_records
from study.journal.record import MetricHistory, TrialRecord
from study.results.folder_reader import read_folder
from study.results.frames import RunFrames, from_records, gather
from study.results.trial_settings import data_label, settings_hash
from study.spec.study import Confirm
from study.tracking import backends as mlflow_stores
from study.tracking import run_reader as read_mlflow
from study.tracking.client import client_at
from study.tracking.run_writer import RunWriter
from study.workspace.folder import StudyFolder
from tests.study.made import PAIR, lines, records, search, write_folder

SPEC = {"confirm": {"seeds": 3}, "search": {"maximize": "val/top1"}}


def study() -> list[TrialRecord]:
    """Every key once, begun a minute apart."""
    kept = {item.key: item for item in [*records(), *search(PAIR, 6)]}
    for number, item in enumerate(kept.values()):
        item.started += 0.1 * number
    return list(kept.values())


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The study in a real MLflow database, written as a launch writes it."""
    results = tmp_path_factory.mktemp("results")
    uri = f"sqlite:///{results / 'mlflow.db'}"
    mirror = RunWriter(client_at(uri), StudyFolder(results, "made"), SPEC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("study.report.figures.style.trial_curves", _no_picture)
        for item in study():
            mirror.send(item)
    return uri


def _no_picture(record: TrialRecord, path: Path) -> Path:
    path.touch()
    return path


def frame(runs: RunFrames) -> pd.DataFrame:
    return runs.trials.sort_values("trial_key").reset_index(drop=True)


@pytest.fixture
def folder(tmp_path: Path) -> RunFrames:
    write_folder(tmp_path, "made", study())
    return gather([read_folder(tmp_path, "made")])


def test_the_journal_read_fast_is_the_journal(tmp_path: Path, folder: RunFrames) -> None:
    whole = from_records(
        "made", read_records(tmp_path / "made" / "journal.jsonl").values(), asked=Confirm(seeds=3)
    )
    pd.testing.assert_frame_equal(whole.trials, folder.trials)
    np.testing.assert_array_equal(whole.curves.values, folder.curves.values)


def test_mlflows_database_gives_the_same(database: str, folder: RunFrames) -> None:
    stored = gather(read_mlflow.read_mlflow(database, ["made"]))
    pd.testing.assert_frame_equal(frame(stored), frame(folder))
    assert stored.configs[0]["method"] == folder.configs[0]["method"]


def test_mlflows_client_gives_the_same_as_its_database(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = gather(read_mlflow.read_mlflow(database, ["made"]))
    monkeypatch.setattr(mlflow_stores, "DATABASES", ())
    asked = gather(read_mlflow.read_mlflow(database, ["made"]))
    pd.testing.assert_frame_equal(frame(asked), frame(direct))


def test_an_unknown_study_and_a_server_that_is_away_are_one_line(database: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no study 'mad' .*did you mean 'made'"):
        read_mlflow.read_mlflow(database, ["mad"])
    with pytest.raises(TrackingError, match="does not answer"):
        read_mlflow.read_mlflow("http://127.0.0.1:9", ["made"])
    with pytest.raises(TrackingError, match="no MLflow database"):
        read_mlflow.read_mlflow(f"sqlite:///{tmp_path / 'none.db'}", ["made"])
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "other.db").write_text("not a database")
    with pytest.raises(TrackingError, match="no MLflow database"):
        read_mlflow.read_mlflow(f"sqlite:///{tmp_path / 'other.db'}", ["made"])


def test_replayed_epochs_and_torn_lines_in_the_journal(tmp_path: Path) -> None:
    item = search(PAIR, 2)[0]
    begin, *reports, end = lines(item)
    odd = [begin, *reports[:2], begin, *reports, end]
    path = tmp_path / "odd" / "journal.jsonl"
    path.parent.mkdir()
    text = [json.dumps(line, separators=(",", ":")) + "\n" for line in odd]
    path.write_text("".join(text) + '{"type":"report","key":"')
    source = read_folder(tmp_path, "odd")
    assert source.curves.lengths.tolist() == [4]
    np.testing.assert_array_equal(source.curves.of(0, "val/top1"), [40.0, 43.0, 46.0, 49.0])
    assert source.records[0].status == "done"


def test_curves_of_trials_without_an_epoch() -> None:
    curves = LearningCurves.from_histories(
        ("a", "b"), [[], [{"a": 1.0, "b": 5.0}, {"a": 3.0, "b": 6.0}, {"a": 2.0}], [], [{"b": 1.0}]]
    )
    np.testing.assert_array_equal(curves.last("a"), [np.nan, 2.0, np.nan, np.nan])
    np.testing.assert_array_equal(curves.highest("a"), [np.nan, 3.0, np.nan, np.nan])
    np.testing.assert_array_equal(curves.at_highest("b", "a"), [np.nan, 6.0, np.nan, np.nan])
    np.testing.assert_array_equal(curves.total("b"), [0.0, 11.0, 0.0, 1.0])
    np.testing.assert_array_equal(curves.mean("b"), [np.nan, 5.5, np.nan, 1.0])
    empty = LearningCurves.from_histories(("a",), [])
    assert empty.last("a").shape == (0,)
    assert empty.highest("a").shape == (0,)


def test_seeds_and_looks_at_the_test_split_do_not_make_another_configuration() -> None:
    first, second = (item.config for item in records() if item.method == "KD" and item.config["seed"] < 3)
    assert settings_hash(first) == settings_hash({**second, "test": "every"})
    changed = {**first, "training": {**first["training"], "lr": 0.1}}
    assert settings_hash(first) != settings_hash(changed)


def test_data_sets_are_named_with_what_is_left_out() -> None:
    data = {"name": "cifar100", "classes": 20, "fraction": 0.5, "options": {"download": True}}
    assert data_label(data) == "cifar100 (20 classes, 50% of train)"
    assert data_label({"name": "cifar100", "options": {}}) == "cifar100"


def test_numbers_that_are_none_are_missing_and_layouts_may_change(tmp_path: Path) -> None:
    item = search(PAIR, 2)[0]
    history = list(item.history)
    history[1]["val/top1"] = float("nan")
    history[2] = {"epoch": 3, "test/top1": 7.0, "val/top1": 1e-05}
    item.history = MetricHistory.of(history)
    write_folder(tmp_path, "odd", [item])
    curves = read_folder(tmp_path, "odd").curves
    np.testing.assert_array_equal(curves.of(0, "val/top1"), [40.0, np.nan, 1e-05, 49.0])
    np.testing.assert_array_equal(curves.of(0, "test/top1"), [np.nan, np.nan, 7.0, np.nan])
