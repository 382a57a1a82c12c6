"""The best students in MLflow's model registry: which, once, and served with the network's own logits."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from study.doctor.findings import DoctorContext
from study.doctor.services import check_mlflow
from study.journal.record import TrialRecord
from study.loading import load_space
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.results.frames import from_records
from study.spec.methods import SDD
from study.spec.study import Confirm
from study.tracking.client import connect
from study.tracking.model_registry import best_students
from study.tracking.study_run import StudyOutcome
from study.tracking.uploader import MlflowUploader
from study.workspace.folder import StudyFolder
from tests.study.made import record
from tests.study.tracking.test_uploader import Server
from tests.study.tracking.test_uploader import server as server
from trainables import models
from trainables import serving as served
from trainables.config import Teacher
from trainables.data import prepare
from trainables.models.weights import state_sha256

NAME = "small.resnet8-wrn_10_1"
TEACHER = Teacher(name="resnet8", weights="0" * 64)


def student(plan: Plan, folder: StudyFolder, seed: int) -> torch.nn.Module:
    """A network with the weights of ``seed``, whose batch statistics are not those it was made with."""
    torch.manual_seed(seed)
    network = models.build("wrn_10_1", plan.num_classes, image_size=plan.image_size)
    network(torch.randn(8, 3, plan.image_size, plan.image_size))
    return network.eval()


def finished(
    plan: Plan, folder: StudyFolder, alpha: float, searched: float, tests: tuple[float, ...]
) -> list[TrialRecord]:
    """A search trial and its confirming runs, each with a filed student."""
    pair = plan.spec.pairs[0]
    config = plan.fixed_config(pair, SDD(alpha=alpha), TEACHER)
    records = [record(config, [{"val/top1": searched}] * 2, "search", role="")]
    for number, planned in enumerate(plan.confirm_trials(config, pair.label, "best")):
        done = record(planned.config, [{"test/top1": tests[number]}] * 2, role="best")
        buffer = io.BytesIO()
        weights = student(plan, folder, int(100 * alpha) + planned.config.seed).state_dict()
        torch.save({"model": weights, "name": "wrn_10_1"}, buffer)
        with folder.store.open_run(planned.config) as run:
            run.finish(
                {"history": [dict(metrics) for metrics in done.history], "weights": state_sha256(weights)},
                buffer.getvalue(),
            )
        records.append(done)
    return records


@pytest.fixture
def plan(space: Callable[..., Path]) -> Plan:
    return resolve(load_space(space()))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StudyFolder]:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    folder = StudyFolder(tmp_path / "results", "small")
    folder.path.mkdir(parents=True)
    yield folder
    assert not (tmp_path / "mlruns").exists(), "written beside the results"
    assert not (tmp_path / "mlflow.db").exists()


def send(plan: Plan, folder: StudyFolder, records: list[TrialRecord]) -> None:
    """What a launch does at its end."""
    chosen = best_students(plan, from_records("small", records, Confirm(seeds=2)))
    tracker = MlflowUploader(folder, {"name": "small"}, print)
    tracker.replay({item.key: item for item in records})
    assert tracker.close(120, StudyOutcome([], chosen))


def pixels(plan: Plan, count: int) -> NDArray[np.uint8]:
    images: NDArray[np.uint8] = plan.raw.test_images[:count]
    return images


def logits(plan: Plan, folder: StudyFolder, alpha: float, count: int) -> NDArray[np.float32]:
    """Of the network itself, on the first test images as training sees them."""
    batch = next(iter(prepare(plan.raw, plan.data, "cpu").test.batches(count, epoch=None)))
    with torch.inference_mode():
        found: NDArray[np.float32] = student(plan, folder, int(100 * alpha) + 1)(batch.images).numpy()
    return found


def test_the_search_chooses_the_configuration_and_the_first_seed_the_run(
    plan: Plan, folder: StudyFolder
) -> None:
    records = [
        *finished(plan, folder, 1.5, 60.0, (40.0, 90.0)),
        *finished(plan, folder, 2.5, 50.0, (95.0, 95.0)),
    ]
    (found,) = best_students(plan, from_records("small", records, Confirm(seeds=2)))
    assert found.key == records[1].key
    assert (found.tags["chosen_by"], found.tags["seed"]) == ("search, val/top1", "1")
    assert found.about["classes"][:2] == ["zero", "one"]
    searched_nothing = [item for item in records if item.stage == "confirm"]
    (fixed,) = best_students(plan, from_records("small", searched_nothing, Confirm(seeds=2)))
    assert fixed.tags["chosen_by"] == "mean test/top1 of 1 fixed configurations"


def test_what_is_served_gives_the_networks_own_logits(
    plan: Plan, folder: StudyFolder, tmp_path: Path
) -> None:
    records = finished(plan, folder, 1.5, 60.0, (40.0, 90.0))
    (best,) = best_students(plan, from_records("small", records, Confirm(seeds=2)))
    served.write(tmp_path / "model", folder.store.run(best.key).student(), best.about)
    found = served.ServedStudent(tmp_path / "model").predict(pixels(plan, 5))
    np.testing.assert_array_equal(found, logits(plan, folder, 1.5, 5))


@pytest.mark.slow
def test_the_choice_of_the_search_once_for_each_trial(plan: Plan, folder: StudyFolder) -> None:
    records = [
        *finished(plan, folder, 1.5, 60.0, (40.0, 90.0)),
        *finished(plan, folder, 2.5, 50.0, (95.0, 95.0)),
    ]
    send(plan, folder, records)
    send(plan, folder, records)
    client = connect(folder)
    (only,) = client.search_model_versions(f"name = '{NAME}'")
    key = records[1].key
    assert (only.tags["trial_key"], only.tags["seed"], only.tags["test/top1"]) == (key, "1", "40.00")
    assert only.tags["chosen_by"] == "search, val/top1"
    assert client.get_run(only.run_id).data.tags["trial_key"] == key
    better = finished(plan, folder, 3.5, 70.0, (50.0, 50.0))
    send(plan, folder, [*records, *better])
    versions = {
        item.version: item.tags["trial_key"] for item in client.search_model_versions(f"name = '{NAME}'")
    }
    assert {str(number): trial for number, trial in versions.items()} == {"1": key, "2": better[1].key}

    mlflow.set_tracking_uri(folder.mlflow_uri)
    try:
        model = mlflow.pyfunc.load_model(f"models:/{NAME}/1")
    finally:
        mlflow.set_tracking_uri(None)
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, 32, 32, 3)
    assert model.input_example is not None
    np.testing.assert_array_equal(model.predict(pixels(plan, 5)), logits(plan, folder, 1.5, 5))
    with pytest.raises(mlflow.exceptions.MlflowException, match="shape"):
        model.predict(pixels(plan, 5)[:, :16])


@pytest.mark.slow
def test_mlflow_models_predict_serves_it(plan: Plan, folder: StudyFolder) -> None:
    """In a process of its own that does not find this package but in the model."""
    send(plan, folder, finished(plan, folder, 1.5, 60.0, (40.0, 90.0)))
    check_predictions(plan, folder)


@pytest.mark.slow
def test_a_server_that_was_away_when_the_study_ended_gets_and_serves_the_model(
    plan: Plan, folder: StudyFolder, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    folder = StudyFolder(folder.results, folder.name)  # which asks where MLflow is
    records = finished(plan, folder, 1.5, 60.0, (40.0, 90.0))
    chosen = best_students(plan, from_records("small", records, Confirm(seeds=2)))
    server.stop()
    said: list[str] = []

    def launch(wait_s: float) -> bool:
        tracker = MlflowUploader(folder, {"name": "small"}, said.append)
        tracker.replay({item.key: item for item in records})
        return tracker.close(wait_s, StudyOutcome([], chosen))

    assert not launch(15)
    assert len([line for line in said if "away" in line]) == 1
    server.start()
    assert launch(120), "the same command sends the rest"
    (only,) = connect(folder).search_model_versions(f"name = '{NAME}'")
    assert only.tags["trial_key"] == records[1].key
    check_predictions(plan, folder)
    tag, artifact = check_mlflow(DoctorContext(folder))
    assert (tag.status, artifact.status) == ("ok", "ok")


def check_predictions(plan: Plan, folder: StudyFolder) -> None:
    """``mlflow models predict`` gives the network's own logits."""
    Path("input.json").write_text(json.dumps({"inputs": pixels(plan, 3).tolist()}))
    command = [sys.executable, "-P", "-m", "mlflow", "models", "predict", "-m", f"models:/{NAME}/1"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*command, "-i", "input.json", "-t", "json", "-o", "output.json", "--env-manager", "local"],
        env={**environment, "MLFLOW_TRACKING_URI": folder.mlflow_uri},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: Any = json.loads(Path("output.json").read_text())
    np.testing.assert_allclose(answer["predictions"], logits(plan, folder, 1.5, 3), rtol=1e-6)
