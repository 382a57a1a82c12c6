from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.trainables.trials import CPU, CRD, DATA, SD_DKD, Run, file_teacher, tiny
from trainables.config import FeatureTerm, LogitTerm, Method, TrialConfig
from trainables.data import load
from trainables.data.dataset import DataSet
from trainables.engine.head import MultiScaleHead
from trainables.engine.process_cache import ProcessCache
from trainables.engine.runtime import CachePolicy, Runtime, TrialInputs
from trainables.engine.step import TeacherOutputs
from trainables.storage.run_store import RunStore
from trainables.teacher import cached as cached_file
from trainables.teacher.cache_files import ViewFile
from trainables.teacher.cached import CachedTeacher
from trainables.teacher.live import LiveTeacher
from trainables.teacher.opening import load_teacher, open_teacher
from trainables.training.build import build_engine

pytestmark = pytest.mark.usefixtures("one_thread")


def trial(store: RunStore, **changes: Any) -> TrialConfig:
    """A tiny SD-DKD trial of two epochs."""
    training = {"epochs": 2} | changes.pop("training", {})
    term = changes.pop("term", SD_DKD)
    return tiny(Method(logit=term), teacher=file_teacher(store), training=training, **changes)


def opened(
    config: TrialConfig,
    store: RunStore,
    data: DataSet,
    policy: CachePolicy | None = None,
    cache: ProcessCache | None = None,
) -> tuple[CachedTeacher, list[str]]:
    """The remembered teacher of ``config``, and what was logged when it was opened."""
    logged: list[str] = []
    assert config.teacher is not None
    runtime = Runtime(
        CPU,
        cache_policy=policy or CachePolicy(),
        process_cache=cache or ProcessCache(),
        log=logged.append,
    )
    network = load_teacher(config.teacher, store, data, CPU)
    source = open_teacher(network, TrialInputs(config, store, data), runtime)
    assert isinstance(source, CachedTeacher)
    return source, logged


def epoch_of(source: TeacherOutputs, data: DataSet, epoch: int = 1) -> torch.Tensor:
    """The regions of one epoch's images, in the order of their use."""
    source.begin_epoch(data.train, data.train.plan(32, epoch=epoch))
    found = []
    for batch in data.train.batches(32, epoch=epoch):
        source.advance(len(batch.target))
        found.append(source(batch).regions)
    return torch.cat(found)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_numbers_do_not_depend_on_what_is_remembered(
    store: RunStore, digits: DataSet, precision: str
) -> None:
    config = trial(store, training={"precision": precision})
    policies = {
        "nowhere": CachePolicy("off"),
        "for the first time": CachePolicy("auto"),
        "long ago": CachePolicy("auto"),
        "in part": CachePolicy(20 * 16 * 10 * 2),
    }
    numbers = {}
    for name, policy in policies.items():
        if name == "in part":
            forget_all(store, config)
        numbers[name] = Run(config, RunStore(link(store, name)), digits, cache_policy=policy).numbers
    assert all(value == numbers["nowhere"] for value in numbers.values())


def link(store: RunStore, name: str) -> Any:
    """A store of its own runs and the same teachers."""
    root = store.root / name.replace(" ", "_")
    root.mkdir(parents=True, exist_ok=True)
    if not (root / "teachers").exists():
        (root / "teachers").symlink_to(store.root / "teachers")
    return root


def forget_all(store: RunStore, config: TrialConfig) -> None:
    assert config.teacher is not None
    for path in store.teacher_views(config.teacher.weights).glob("*"):
        path.unlink()


def test_trials_of_other_scales_and_students_find_the_views(store: RunStore, digits: DataSet) -> None:
    first, _ = opened(trial(store), store, digits)
    epoch_of(first, digits)
    assert first.views.computed == 75
    for changes in ({"term": LogitTerm()}, {"term": LogitTerm(scales=(4, 2))}, {"student": "wrn_10_1"}):
        later, said = opened(trial(store, **changes), store, digits)
        later.views.computed = 0  # opening verifies a chunk
        epoch_of(later, digits)
        assert later.views.computed == 0
        assert said == []


def test_another_epoch_finds_the_views_it_shares(store: RunStore, digits: DataSet) -> None:
    source, _ = opened(trial(store), store, digits)
    plans = [digits.train.plan(32, epoch=epoch) for epoch in (1, 2)]
    shared = sum(
        view == dict(zip(plans[0].rows.tolist(), plans[0].views.tolist(), strict=True))[row]
        for row, view in zip(plans[1].rows.tolist(), plans[1].views.tolist(), strict=True)
    )
    for epoch in (1, 2):
        epoch_of(source, digits, epoch)
    assert source.views.computed == 75 + 75 - shared


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize(
    "term",
    [
        *(LogitTerm(scales=scales) for scales in ((1, 2, 4), (2,), (3,))),
        LogitTerm(scales=(1, 2), pooling="released"),
    ],
    ids=["1-2-4", "2", "3", "released"],
)
def test_remembered_logits_are_the_live_ones_within_rounding_to_half(
    store: RunStore, digits: DataSet, precision: str, term: LogitTerm
) -> None:
    config = trial(store, term=term, training={"precision": precision})
    source, _ = opened(config, store, digits)
    network = load_teacher(config.teacher, store, digits, CPU)
    head = MultiScaleHead(network, source.scales, full_precision=True, pooling=source.pooling)
    live = epoch_of(LiveTeacher(head, config.training, CPU), digits)
    remembered = epoch_of(source, digits)
    largest = torch.cat((live, epoch_of(opened_at(config, store, digits), digits)), 1).abs().amax((1, 2))
    bound = largest * 2**-11 + 1e-5 * largest
    assert remembered.dtype == torch.float32
    assert ((remembered - live).abs().amax((1, 2)) <= bound).all()


def opened_at(config: TrialConfig, store: RunStore, digits: DataSet) -> LiveTeacher:
    """The live teacher's finest cells, whose size bounds the rounding."""
    network = load_teacher(config.teacher, store, digits, CPU)
    return LiveTeacher(MultiScaleHead(network, (4,), full_precision=True), config.training, CPU)


def test_training_curve_is_the_live_ones_within_rounding(
    store: RunStore, digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = trial(store, training={"epochs": 3, "lr": 0.005})
    remembered = Run(config, RunStore(link(store, "a")), digits).numbers

    def live(network: torch.nn.Module, inputs: TrialInputs, *_: object, **__: object) -> LiveTeacher:
        head = MultiScaleHead(network, (1, 2, 4), full_precision=True)
        return LiveTeacher(head, inputs.config.training, CPU)

    monkeypatch.setattr("trainables.training.build.open_teacher", live)
    expected = Run(config, RunStore(link(store, "b")), digits).numbers
    assert remembered != expected
    for ours, theirs in zip(remembered, expected, strict=True):
        assert ours["train/loss"] == pytest.approx(theirs["train/loss"], rel=2**-11)
        assert ours["val/loss"] == pytest.approx(theirs["val/loss"], rel=2**-7)


def test_feature_losses_run_the_teacher_live(store: RunStore, digits: DataSet) -> None:
    for method in (
        Method(features=(CRD,)),
        Method(logit=LogitTerm(), features=(FeatureTerm(name="at", weight=1.0),)),
    ):
        config = tiny(method, teacher=file_teacher(store))
        assert isinstance(build_engine(TrialInputs(config, store, digits), Runtime(CPU)).teacher, LiveTeacher)


def test_what_decides_the_outputs_has_files_of_its_own(store: RunStore, digits: DataSet) -> None:
    def files(**changes: Any) -> int:
        config = trial(store, **changes)
        data = digits if config.data == DATA else load(config.data, CPU)
        epoch_of(opened(config, store, data)[0], data)
        assert config.teacher is not None
        return len(list(store.teacher_views(config.teacher.weights).glob("*.cells")))

    assert files() == 1
    assert files(training={"precision": "bf16"}) == 2
    assert files(term=LogitTerm(scales=(1, 8))) == 3
    plain = type(DATA)(name=DATA.name, validation=0.25, options=DATA.options, augment="none")
    assert files(data=plain) == 4
    assert files(training={"lr": 0.2}, seed=3) == 4


def test_views_that_are_not_the_teachers_are_found_out(store: RunStore, digits: DataSet) -> None:
    config = trial(store)
    source, _ = opened(config, store, digits)
    expected = epoch_of(source, digits)
    (file,) = source.views.backends
    assert isinstance(file, ViewFile)
    slots = file.marked()
    file.write(slots, torch.zeros(len(slots), 16, 10).half())
    again, said = opened(config, store, digits, CachePolicy(verify=1.0))
    assert len(said) == 1
    assert "75 of 75" in said[0]
    assert torch.equal(epoch_of(again, digits), expected)


def test_a_share_of_the_views_is_verified_and_a_chunk_at_least(store: RunStore, digits: DataSet) -> None:
    config = trial(store)
    source, _ = opened(config, store, digits)
    epoch_of(source, digits)
    for share, checked in ((0.0, 64), (0.9, 68), (1.0, 75)):
        again, said = opened(config, store, digits, CachePolicy(verify=share))
        assert again.views.computed == checked
        assert said == []


def test_warm_process_opens_the_views_once(store: RunStore, digits: DataSet) -> None:
    cache = ProcessCache()
    first, second = (opened(trial(store, seed=seed), store, digits, cache=cache)[0] for seed in (0, 1))
    assert first.views is second.views
    third, _ = opened(trial(store, training={"precision": "bf16"}), store, digits, cache=cache)
    assert third.views is not first.views


def test_windows_cut_the_epoch_anywhere(
    store: RunStore, digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = epoch_of(opened(trial(store), store, digits)[0], digits)
    for window in (1, 40, 64):
        monkeypatch.setattr(cached_file, "WINDOW", window)
        assert torch.equal(epoch_of(opened(trial(store), store, digits)[0], digits), expected)
    assert np.isfinite(expected.numpy()).all()
