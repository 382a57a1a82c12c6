"""Figures 3 to 6 from stored networks: small ones with weights of chance, on the made data set."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch

from study.journal.record import TrialRecord
from study.report.figures.network_outputs import ExampleOutputs, NetworksUnavailable, exhibit, pick
from study.report.figures.networks import correlation_difference, network_figures
from study.results.frames import from_records
from study.spec.methods import DKD, KD, SDD
from tests.study.made import config, record
from trainables import data, models
from trainables.config import Data, TrialConfig
from trainables.models.weights import state_sha256
from trainables.storage.run_store import RunStore

DIGITS = Data(name="cluttered_digits", validation=0.2, options={"scenes": 100, "test": 100})
PAIR = ("resnet8", "wrn_10_1")


def file_of(network: torch.nn.Module) -> bytes:
    buffer = io.BytesIO()
    torch.save({"model": network.state_dict()}, buffer)
    return buffer.getvalue()


@pytest.fixture
def stored(tmp_path: Path) -> tuple[RunStore, list[TrialRecord]]:
    """Confirmed runs of KD and SD-KD over two seeds; the students of the second seed are stored."""
    store = RunStore(tmp_path / "_store")
    torch.manual_seed(0)
    teacher = models.build(PAIR[0], 10)
    weights = state_sha256(teacher.state_dict())
    store.file_teacher(weights, file_of(teacher), {})
    found = data.fingerprint(DIGITS)
    records = []
    for method in (KD(), SDD(scales=(1, 2)), DKD()):
        for seed in (1, 2):
            plain = config(PAIR, method, seed, data=DIGITS, epochs=2, fit="all", test="end").to_dict()
            plain["teacher"]["weights"] = weights
            plain["data"]["fingerprint"] = found
            about = TrialConfig.from_dict(plain)
            records.append(record(about, [{"test/top1": 10.0}]))
            if seed == 2:
                store.run(about.trial_key).finish({"weights": "0" * 64}, file_of(models.build(PAIR[1], 10)))
    return store, records


def test_figures_of_stored_networks(stored: tuple[RunStore, list[TrialRecord]], tmp_path: Path) -> None:
    store, records = stored
    runs = from_records("made", records)
    chosen = pick(runs, store)
    assert (chosen.plain_method, chosen.decoupled_method, chosen.config.seed) == ("KD", "SD-KD", 2)
    shown = exhibit(chosen, store)
    assert shown.scales == (1, 2)
    assert shown.teacher.regions.shape == (100, 5, 10)
    assert shown.images.shape == (100, 32, 32, 3)
    np.testing.assert_allclose(
        shown.teacher.logits, shown.teacher.regions[:, 1:].mean(1), rtol=1e-3, atol=1e-4
    )
    said: list[str] = []
    files = network_figures(runs, store, tmp_path / "figures", said.append)
    names = {path.name for path in files}
    assert {"figure3.png", "figure3.svg", "figure4.png", "figure6.png"} <= names
    assert all(path.stat().st_size > 1000 for path in files)
    assert said == []


def test_what_is_missing_is_said(stored: tuple[RunStore, list[TrialRecord]], tmp_path: Path) -> None:
    store, records = stored
    said: list[str] = []
    only_plain = from_records("made", [item for item in records if item.method == "KD"])
    assert network_figures(only_plain, store, tmp_path, said.append) == []
    assert said == ["figures 3 to 6 are left out: no pair has stored students of both X and SD-X"]
    runs = from_records("made", records)
    chosen = pick(runs, store)
    assert chosen.config.teacher is not None
    store.teacher(chosen.config.teacher.weights).unlink()
    with pytest.raises(NetworksUnavailable, match="the teacher's weights are not in"):
        exhibit(chosen, store)


def test_the_correlation_difference_by_hand() -> None:
    """Two classes: the teacher's logits move together, the student's against each other."""
    teacher = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]], dtype=np.float32)[:, None]
    student = np.array([[1.0, 6.0], [2.0, 4.0], [3.0, 2.0]], dtype=np.float32)[:, None]
    features = np.zeros((3, 1), dtype=np.float32)
    difference = correlation_difference(ExampleOutputs(features, student), ExampleOutputs(features, teacher))
    np.testing.assert_allclose(difference, [[0.0, 2.0], [2.0, 0.0]], atol=1e-12)
