"""The run of the study itself, as MLflow shows it: data, source, parameters, the best, table and models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from study.spec.methods import KD, SDD
from study.tracking.client import connect
from study.tracking.study_run import StudyOutcome, confirmed_metrics
from study.tracking.system_metrics import SWITCH, system_metrics
from study.tracking.uploader import MlflowUploader
from study.workspace.folder import StudyFolder
from tests.study.made import PAIR, config, confirmed, search

SPEC = {
    "name": "mine",
    "data": {"name": "cifar100", "root": None},
    "pairs": [{"teacher": {"options": ["wrn_40_2", "resnet56"]}, "student": "vgg8"}],
    "training": {"epochs": 240, "clip_norm": None},
    "search": {"maximize": "val/top1", "stop": {"grace": 3}},
    "budget": {"trials": 12},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return StudyFolder(tmp_path, "mine")


@pytest.fixture
def shown(folder: StudyFolder) -> dict[str, Any]:
    """Runs of a finished study by stage; it was launched twice, with more trials the second time."""
    made = [*search(PAIR, 5), *confirmed(PAIR, SDD(alpha=1.5), (75.0, 75.5), role="best")]
    made += confirmed(PAIR, KD(), (73.0, 73.2))
    first = MlflowUploader(folder, SPEC, print)
    first.replay({record.key: record for record in made})
    assert first.close(120)
    table = folder.path / "tables" / "summary.md"
    table.parent.mkdir(parents=True)
    table.write_text("| pair |")
    again = MlflowUploader(folder, {**SPEC, "budget": {"trials": 24}}, print)
    metrics = {"test/top1/wrn_40_2-vgg8/SD-KD": 75.25}
    assert again.close(120, StudyOutcome([table], (), metrics, ["SD-KD beats KD."]))
    client = connect(folder)
    experiment = client.get_experiment_by_name("mine").experiment_id
    runs: dict[str, list[Any]] = {}
    for run in client.search_runs([experiment]):
        runs.setdefault(run.data.tags["stage"], []).append(run)
    return runs


def test_the_run_of_the_study_says_all_that_it_is_about(shown: dict[str, Any]) -> None:
    (study,) = shown["study"]
    assert study.info.status == "FINISHED"
    assert study.data.params["pairs"] == "wrn_40_2/resnet56-vgg8"
    assert study.data.params["search.stop.grace"] == "3"
    assert study.data.params["budget.trials"] == "12"
    assert "training.clip_norm" not in study.data.params
    assert study.data.tags["changed_since_first_launch"] == '{"budget.trials": "24"}'
    best = max(record.final["val/top1"] for record in search(PAIR, 5) if record.status == "done")
    assert study.data.metrics == {"best/val/top1": best, "test/top1/wrn_40_2-vgg8/SD-KD": 75.25}
    text = study.data.tags["mlflow.note.content"]
    assert text.startswith("SD-KD beats KD.")
    assert "| pair |" in text
    assert study.inputs.dataset_inputs[0].dataset.name == "cifar100"


def test_every_run_has_data_source_and_a_name_that_tells_it_apart(shown: dict[str, Any]) -> None:
    runs = [run for stage in ("search", "confirm") for run in shown[stage]]
    assert len({run.info.run_name for run in runs}) == len(runs)
    for run in runs:
        (used,) = run.inputs.dataset_inputs
        assert (used.dataset.name, used.dataset.digest) == ("cifar100", "c" * 8)
        assert run.data.tags["mlflow.source.name"]
        assert run.data.tags["mlflow.source.git.commit"] == run.data.tags["git_commit"]
    names = " ".join(run.info.run_name for run in shown["search"])
    assert "SD-KD {1,2,4} α 0.722 β 3" in names
    confirmed_names = [run.info.run_name for run in shown["confirm"]]
    assert any("KD" in name and "seed 2" in name for name in confirmed_names)


def test_metric_names_are_ones_that_mlflow_takes() -> None:
    row = {"pair": "a-b", "method": "SD-KD+LS", "role": "paper", "top1": 70.0, "gain": float("nan")}
    assert confirmed_metrics([row]) == {"test/top1/a-b/SD-KD_LS/paper": 70.0}
    assert config(PAIR, KD()).fit in ("train", "all")


def test_system_metrics_are_an_option(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    with system_metrics("run", "sqlite:///none.db"):
        assert not caplog.records
    monkeypatch.setenv(SWITCH, "true")
    monkeypatch.setattr("study.tracking.system_metrics.find_spec", lambda name: None)
    with system_metrics("run", "sqlite:///none.db"):
        assert "psutil is not installed" in caplog.text
