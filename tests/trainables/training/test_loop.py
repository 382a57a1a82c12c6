from __future__ import annotations

import dataclasses
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.trainables.trials import CPU, CRD, DATA, SD_DKD, Run, file_teacher, fresh_numbers, numbers, tiny
from trainables.config import Data, FeatureTerm, LogitTerm, Method, Teacher, TrialConfig
from trainables.data.dataset import DataSet
from trainables.data.epoch_plan import EpochPlan
from trainables.data.split import Batch, Split
from trainables.engine.engine import Engine
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.models.weights import load_published
from trainables.storage.run_store import RunFolder, RunStore
from trainables.teacher.opening import MissingTeacher
from trainables.training import checkpoint
from trainables.training.build import build_engine
from trainables.training.loop import NonFiniteLoss, run_trial

pytestmark = pytest.mark.usefixtures("one_thread")

METHODS = {
    "CE": Method(),
    "SD-DKD": Method(logit=SD_DKD),
    "SD-KD without the whole": Method(logit=LogitTerm(scales=(2,), warmup_epochs=2)),
    "KD+CRD": Method(logit=LogitTerm(), features=(CRD,)),
    "FITNET+REVIEWKD": Method(
        features=(
            FeatureTerm(name="fitnet", weight=1.0),
            FeatureTerm(name="reviewkd", weight=0.5, options={"max_channels": 16}),
        )
    ),
}


def trial(store: RunStore, method: str, **changes: Any) -> TrialConfig:
    """A tiny trial by one of METHODS, its teacher filed in ``store``."""
    teacher = file_teacher(store) if method != "CE" else None
    return tiny(METHODS[method], teacher=teacher, **changes)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The epochs that were trained, as they are."""
    epochs: list[int] = []
    train_epoch = Engine.train_epoch

    def counted(self: Engine, split: Split, epoch: int, seed: int) -> dict[str, float]:
        epochs.append(epoch)
        return train_epoch(self, split, epoch, seed)

    monkeypatch.setattr(Engine, "train_epoch", counted)
    return epochs


@pytest.mark.parametrize(("method", "precision"), [(m, "bf16") for m in METHODS] + [("SD-DKD", "float32")])
def test_two_runs_give_the_same_numbers(tmp_path: Path, digits: DataSet, method: str, precision: str) -> None:
    first, second = (
        Run(trial(store, method, training={"epochs": 2, "precision": precision}), store, digits)
        for store in (RunStore(tmp_path / "a"), RunStore(tmp_path / "b"))
    )
    assert first.numbers == second.numbers
    assert len(first.numbers) == 2
    assert first.result is not None
    assert second.result is not None
    assert first.result["weights"] == second.result["weights"]


def test_seed_changes_the_numbers(store: RunStore, digits: DataSet) -> None:
    assert Run(tiny(), store, digits).numbers != Run(tiny(seed=1), store, digits).numbers


@pytest.mark.parametrize(("method", "stop_after"), [*((m, 1) for m in METHODS), ("KD+CRD", 2)])
def test_interrupted_trial_ends_as_if_undisturbed(
    tmp_path: Path, digits: DataSet, trained: list[int], method: str, stop_after: int
) -> None:
    store, other = RunStore(tmp_path / "a"), RunStore(tmp_path / "b")
    config = trial(store, method, training={"lr_warmup_epochs": 1})
    undisturbed = Run(trial(other, method, training={"lr_warmup_epochs": 1}), other, digits)
    trained.clear()
    interrupted = Run(config, store, digits, stop_after=stop_after)
    assert interrupted.result is None
    resumed = Run(config, store, digits)
    assert trained == [1, 2, 3]
    assert [metrics["epoch"] for metrics in resumed.reports] == [1, 2, 3]
    assert resumed.numbers == undisturbed.numbers
    assert resumed.result is not None
    assert undisturbed.result is not None
    assert resumed.result["weights"] == undisturbed.result["weights"]


def checkpoints(store: RunStore, config: TrialConfig | None = None) -> list[Path]:
    """Files of the checkpoints, the latest first."""
    folder = store.run((config or tiny()).trial_key)
    return [store.storage.local(f"{folder.name}/{name}") for name in folder.checkpoints()]


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize("harm", [damage, cut_short])
def test_damaged_checkpoint_falls_back_to_the_one_before(
    tmp_path: Path, digits: DataSet, trained: list[int], harm: object
) -> None:
    store = RunStore(tmp_path / "a")
    undisturbed = Run(tiny(), RunStore(tmp_path / "b"), digits)
    trained.clear()
    Run(tiny(), store, digits, stop_after=2)
    newest, _ = checkpoints(store)
    harm(newest)  # type: ignore[operator]
    resumed = Run(tiny(), store, digits)
    assert trained == [1, 2, 2, 3]
    assert resumed.numbers == undisturbed.numbers
    assert len(resumed.logged) == 1
    assert "checkpoint-000002.pt" in resumed.logged[0]


def test_without_a_whole_checkpoint_it_starts_over(
    store: RunStore, digits: DataSet, trained: list[int]
) -> None:
    Run(tiny(), store, digits, stop_after=2)
    for path in checkpoints(store):
        damage(path)
    resumed = Run(tiny(), store, digits)
    assert trained == [1, 2, 1, 2, 3]
    assert len(resumed.logged) == 2


def test_finished_trial_is_replayed_without_data(
    store: RunStore, digits: DataSet, trained: list[int]
) -> None:
    first = Run(tiny(), store, digits)
    trained.clear()
    reports: list[dict[str, float]] = []

    def no_data(config: TrialConfig, device: torch.device) -> DataSet:
        raise AssertionError("a finished trial reads no data")

    result = run_trial(tiny(), store, no_data, reports.append, Runtime(CPU))
    assert reports == first.reports
    assert result == first.result
    assert trained == []
    assert checkpoints(store) == []


def test_two_processes_that_begin_a_trial_at_once_both_get_to_its_end(
    store: RunStore, digits: DataSet, trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is held up while it files the configuration, which the second does not find either."""
    writing, go_on, sync = threading.Event(), threading.Event(), os.fsync

    def held_up(descriptor: int) -> None:
        if not writing.is_set():
            writing.set()
            assert go_on.wait(60)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", held_up)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(Run, tiny(training={"epochs": 1}), store, digits)
        assert writing.wait(60)
        second = threads.submit(Run, tiny(training={"epochs": 1}), store, digits)
        wait([second], timeout=1.0)
        assert trained == [], "the second waits for the first"
        go_on.set()
        assert first.result().reports == second.result().reports
    assert trained == [1]


def test_warm_process_gives_the_numbers_of_a_fresh_one(tmp_path: Path, digits: DataSet) -> None:
    warm, fresh = RunStore(tmp_path / "warm"), RunStore(tmp_path / "fresh")
    for method in ("KD+CRD", "CE"):
        other = trial(warm, method, seed=5, training={"precision": "bf16", "epochs": 1})
        Run(dataclasses.replace(other, student="wrn_10_1"), warm, digits)
    config = trial(warm, "SD-DKD")
    trial(fresh, "SD-DKD")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        expected = pool.apply(fresh_numbers, (config.to_dict(), str(fresh.root)))
    assert Run(config, warm, digits).numbers == expected


def test_loss_that_is_not_finite_fails_the_trial(store: RunStore, digits: DataSet) -> None:
    config = tiny(training={"lr": 1e20})
    with pytest.raises(NonFiniteLoss, match="epoch 1"):
        Run(config, store, digits)
    assert store.run(config.trial_key).result() is None
    assert checkpoints(store, config) == []


def test_a_student_whose_weights_end_as_no_numbers_fails_by_the_metric(
    store: RunStore, digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of an epoch is measured before its last step."""
    config = tiny(METHODS["CE"])
    train_epoch = Engine.train_epoch

    def overflowing(self: Engine, *about: Any) -> Any:
        metrics = train_epoch(self, *about)
        with torch.no_grad():
            next(iter(self.student.network.parameters())).fill_(float("nan"))
        return metrics

    monkeypatch.setattr(Engine, "train_epoch", overflowing)
    with pytest.raises(NonFiniteLoss, match=r"val/loss is nan in epoch 1: "):
        Run(config, store, digits)
    assert store.run(config.trial_key).result() is None
    assert checkpoints(store, config) == []


class Counted(Split):
    """A split that counts how often it is read."""

    def __init__(self, split: Split) -> None:
        super().__init__(np.arange(len(split)), split.labels.numpy(), split.device)
        self.views, self.plain = split.views, split.plain
        self.split, self.reads = split, 0

    @property
    def image_size(self) -> tuple[int, int]:
        return self.split.image_size

    @property
    def normalisation(self) -> tuple[Tensor, Tensor]:
        return self.split.normalisation

    def augmented_as(self, data: Data) -> Counted:
        return Counted(self.split.augmented_as(data))

    def show(self, plan: EpochPlan, seeds: tuple[int, int] | None) -> Iterator[Batch]:
        self.reads += 1
        return self.split.show(plan, seeds)


@pytest.mark.parametrize(("test", "reads"), [("never", []), ("end", [3]), ("every", [1, 2, 3])])
def test_test_split_is_read_when_due(store: RunStore, digits: DataSet, test: str, reads: list[int]) -> None:
    counted = Counted(digits.test)
    run = Run(tiny(test=test), store, dataclasses.replace(digits, test=counted))
    assert counted.reads == len(reads)
    assert [int(m["epoch"]) for m in run.reports if "test/top1" in m] == reads
    assert all("val/top1" in metrics for metrics in run.reports)


def test_fit_all_trains_on_the_held_out_part_too(store: RunStore, digits: DataSet) -> None:
    held_out = dataclasses.replace(digits, validation=Counted(digits.validation))
    run = Run(tiny(fit="all", test="end"), store, held_out)
    assert not [name for metrics in run.reports for name in metrics if name.startswith("val/")]
    assert held_out.validation.reads == 0  # type: ignore[attr-defined]
    assert run.reports != Run(tiny(test="end"), store, digits).reports


def test_feature_losses_are_trained_and_checkpointed_but_not_exported(
    store: RunStore, digits: DataSet
) -> None:
    config = trial(store, "FITNET+REVIEWKD")
    before = {name: value.clone() for name, value in criterion_state(config, store, digits).items()}
    Run(config, store, digits, stop_after=1)
    folder = store.run(config.trial_key)
    state, problems = checkpoint.load(folder)
    assert state is not None
    assert not problems
    assert state["criterion"].keys() == before.keys()
    assert all(not torch.equal(state["criterion"][name], value) for name, value in before.items())
    Run(config, store, digits)
    network = build_engine(TrialInputs(config, store, digits), Runtime(CPU)).student.network
    assert exported(folder).keys() == network.state_dict().keys()


def criterion_state(config: TrialConfig, store: RunStore, digits: DataSet) -> dict[str, Tensor]:
    """Weights of the criterion before the first step (no counters of batches, which stand still)."""
    state = build_engine(TrialInputs(config, store, digits), Runtime(CPU)).criterion.state_dict()
    assert state
    return state


def exported(folder: RunFolder) -> dict[str, Tensor]:
    return load_published(folder.student())


def test_student_file_holds_the_last_weights(store: RunStore, digits: DataSet) -> None:
    run = Run(tiny(), store, digits)
    engine = build_engine(TrialInputs(tiny(), store, digits), Runtime(CPU))
    engine.student.network.load_state_dict(exported(store.run(tiny().trial_key)))
    batches = list(digits.validation.batches(500, epoch=None))
    engine.student.network.eval()
    logits = engine.student.network(batches[0].images)
    assert 100 * (logits.argmax(1) == batches[0].target).float().mean().item() == pytest.approx(
        run.reports[-1]["val/top1"]
    )


def test_missing_and_exchanged_teachers_are_named(store: RunStore, digits: DataSet) -> None:
    missing = tiny(Method(logit=LogitTerm()), teacher=Teacher(name="wrn_10_1", weights="0" * 64))
    with pytest.raises(MissingTeacher, match="wrn_10_1"):
        Run(missing, store, digits)
    filed, other = file_teacher(store, seed=1), file_teacher(store, seed=2)
    store.teacher(filed.weights).write_bytes(store.teacher(other.weights).read_bytes())
    with pytest.raises(MissingTeacher, match="does not hold"):
        Run(tiny(Method(logit=LogitTerm()), teacher=filed), store, digits)


def test_history_in_the_result_is_what_was_reported(store: RunStore, digits: DataSet) -> None:
    run = Run(tiny(), store, digits)
    assert run.result is not None
    assert numbers(run.result["history"]) == run.numbers
    assert run.result["config"] == tiny().to_dict()
    assert run.result["config"]["data"]["name"] == DATA.name
