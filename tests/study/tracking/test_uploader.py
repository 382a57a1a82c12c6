"""The journal in a real MLflow: complete, keyed, sent again without harm, patient with an absent server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from study.journal.record import MetricHistory, TrialRecord
from study.tracking.client import connect
from study.tracking.study_run import StudyOutcome
from study.tracking.uploader import MlflowUploader
from study.workspace.folder import StudyFolder
from tests.object_server import free_port
from trainables.config import Data, TrialConfig


def record(seed: int, epochs: int, status: str = "running", reason: str = "") -> TrialRecord:
    config = TrialConfig(data=Data(name="packed"), student="resnet8", seed=seed)
    history = [{"epoch": e, "val/top1": 10.0 * e, "train/loss": 1 / e} for e in range(1, epochs + 1)]
    return TrialRecord(
        key=config.trial_key,
        stage="search",
        pair="a-b",
        method="SD-KD",
        role="paper",
        search="pairs/SDD",
        config=config.to_dict(),
        started=1000.0,
        status=status,
        reason=reason,
        ended=None if status == "running" else 2000.0,
        history=MetricHistory.of(history),
        times=[1000.0 + e for e in range(epochs)],
    )


def children(folder: StudyFolder) -> list[Any]:
    client = connect(folder)
    experiment = client.get_experiment_by_name(folder.name)
    return list(client.search_runs([experiment.experiment_id], "tags.stage = 'search'"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return StudyFolder(tmp_path, "mine")


def test_a_trial_arrives_whole_and_only_once(folder: StudyFolder) -> None:
    tracker = MlflowUploader(folder, {"name": "mine"}, print)
    for epochs in (0, 1, 2):
        tracker.reported(record(0, epochs), epochs)
    tracker.ended(record(0, 3, "done"))
    tracker.ended(record(1, 1, "failed", "NonFiniteLoss: the loss is nan"))
    assert tracker.close(60, StudyOutcome([]))
    again = MlflowUploader(folder, {"name": "mine"}, print)
    again.replay({"a": record(0, 3, "done"), "b": record(1, 1, "failed"), "c": record(2, 2)})
    assert again.close(60)

    runs = {run.data.tags["seed"]: run for run in children(folder)}
    assert len(runs) == 3
    assert len({run.info.run_name for run in runs.values()}) == 3
    done = runs["0"]
    client = connect(folder)
    history = client.get_metric_history(done.info.run_id, "val/top1")
    assert [(m.step, m.value) for m in history] == [(1, 10.0), (2, 20.0), (3, 30.0)]
    assert done.info.status == "FINISHED"
    wanted = {"pair": "a-b", "method": "SD-KD", "stage": "search", "trial_key": record(0, 0).key}
    assert wanted.items() <= done.data.tags.items()
    assert done.data.params["training.lr"] == "0.05"
    assert {item.path for item in client.list_artifacts(done.info.run_id)} == {"config.json", "curves.png"}
    assert runs["1"].info.status == "FAILED"
    assert "nan" in runs["1"].data.tags["reason"]
    assert runs["2"].info.status == "RUNNING"
    parents = {run.data.tags["mlflow.parentRunId"] for run in runs.values()}
    assert client.get_run(parents.pop()).data.tags["study"] == "mine"
    assert not parents


class Server:
    """A real ``mlflow server`` on loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder / 'server.db'}"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        log = (self.folder / "server.log").open("ab")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=2).close()
                return
            except OSError:
                time.sleep(0.3)
        raise TimeoutError((self.folder / "server.log").read_text()[-2000:])

    def stop(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def test_what_was_reported_while_the_server_was_away_arrives(
    folder: StudyFolder, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    folder = StudyFolder(folder.results, folder.name)
    monkeypatch.setattr("study.tracking.uploader.RETRY_S", 0.5)
    said: list[str] = []
    tracker = MlflowUploader(folder, {"name": "mine"}, said.append)
    tracker.reported(record(0, 1), 1)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (tracker._mirror and tracker._mirror.runs):
        time.sleep(0.1)
    server.stop()
    for epochs in (2, 3, 4):
        tracker.reported(record(0, epochs), epochs)
        time.sleep(0.3)
    server.start()
    tracker.ended(record(0, 5, "done"))
    assert tracker.close(90)
    assert len([line for line in said if "away" in line]) == 1, said
    (run,) = children(folder)
    history = connect(folder).get_metric_history(run.info.run_id, "val/top1")
    assert [m.step for m in history] == [1, 2, 3, 4, 5]
    assert run.info.status == "FINISHED"
