"""A teacher of images that are read in each epoch: remembered by seed, epoch and image, to the last bit."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import trainables.models as models
from tests.trainables.data.conftest import cub200 as cub200
from tests.trainables.engine.test_whole_step import by_the_host, goes_on_in_its_own_augmentation, numbers
from tests.trainables.teacher.test_read_ahead import waited_for
from tests.trainables.trials import CPU, Run
from trainables.config import Data, FeatureTerm, LogitTerm, Method, Teacher, Training, TrialConfig
from trainables.config.trial import LargeImages
from trainables.data import load
from trainables.data.dataset import DataSet
from trainables.engine.head import MultiScaleHead
from trainables.engine.runtime import CachePolicy, Runtime, TrialInputs
from trainables.models.weights import state_sha256
from trainables.storage.run_store import RunStore
from trainables.teacher import opening
from trainables.teacher.cached import CachedTeacher, chunk_forward
from trainables.teacher.live import LiveTeacher
from trainables.teacher.opening import load_teacher, open_teacher
from trainables.teacher.read_ahead import ReadAhead
from trainables.teacher.streamed import StreamedTeacher
from trainables.training.build import build_engine

pytestmark = pytest.mark.usefixtures("one_thread")
CLASSES, SIDE = 3, 112


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """24 images of 130 x 120 for training and validation, 3 for test."""
    root = tmp_path_factory.mktemp("pictures")
    for number in range(27):
        path = root / ("test" if number < 3 else "train") / f"class{number % CLASSES}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (120, 130, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return Data(name="folder", root=str(root), validation=0.25, options={"size": SIDE})


@pytest.fixture
def data(pictures: Data) -> DataSet:
    return load(pictures, CPU, workers=2)


def filed(store: RunStore, classes: int, size: int, form: LargeImages = "pooled") -> Teacher:
    """File an untrained network for large images as a teacher."""
    torch.manual_seed(7)
    network = models.build("resnet8", classes, image_size=size, large_images=form)
    torch.nn.init.normal_(network.classifier.weight, std=0.5)  # type: ignore[arg-type]
    state, buffer = network.state_dict(), io.BytesIO()
    torch.save({"model": state}, buffer)
    store.file_teacher(state_sha256(state), buffer.getvalue(), {"name": "resnet8"})
    return Teacher(name="resnet8", weights=state_sha256(state))


@pytest.fixture
def config(store: RunStore, pictures: Data) -> TrialConfig:
    return TrialConfig(
        data=pictures,
        student="resnet8",
        teacher=filed(store, CLASSES, SIDE),
        method=Method(logit=LogitTerm(scales=(1, 2))),
        training=Training(epochs=2, batch_size=8, schedule="cosine", precision="float32", lr=0.01),
    )


def opened(
    config: TrialConfig, store: RunStore, data: DataSet, policy: CachePolicy | None = None
) -> StreamedTeacher:
    assert config.teacher is not None
    network = load_teacher(config.teacher, store, data, CPU)
    runtime = Runtime(CPU, cache_policy=policy or CachePolicy())
    source = open_teacher(network, TrialInputs(config, store, data), runtime)
    assert isinstance(source, StreamedTeacher)
    source.views.computed = 0  # opening verifies a chunk
    return source


def epoch_of(source: Any, data: DataSet, epoch: int = 1, seed: int = 0) -> torch.Tensor:
    """The regions of one epoch's images, in the order of their use."""
    source.begin_epoch(data.train, data.train.plan(8, epoch=epoch, seed=seed))
    regions = []
    for batch in data.train.batches(8, epoch=epoch, seed=seed):
        source.advance(len(batch.target), batch.images)
        regions.append(source(batch).regions)
    return torch.cat(regions)


def test_an_epoch_of_whole_batches_is_to_the_bit_that_of_single_steps(
    store: RunStore, data: DataSet, config: TrialConfig
) -> None:
    """A GPU records the step that takes the batches which are handed over; the last one is smaller."""
    whole, single = (
        build_engine(TrialInputs(config, store, data), Runtime(CPU, compile_mode="eager")) for _ in range(2)
    )
    for epoch in (1, 2):
        assert whole.train_epoch(data.train, epoch, seed=3) == by_the_host(single, data, epoch)
    assert whole.whole is not None
    for ours, theirs in zip(numbers(whole), numbers(single), strict=True):
        assert torch.equal(ours, theirs)


def test_numbers_do_not_depend_on_what_is_remembered(
    store: RunStore, data: DataSet, config: TrialConfig
) -> None:
    assert config.teacher is not None
    views = store.teacher_views(config.teacher.weights)
    policies = {
        "nowhere": CachePolicy("off"),
        "first": CachePolicy("auto"),
        "again": CachePolicy("auto", verify=1.0),
        "in part": CachePolicy(10 * 16 * CLASSES * 2),
    }
    runs = {}
    for name, policy in policies.items():
        if name == "in part":
            for path in views.glob("*"):
                path.unlink()
        root = store.root / name
        root.mkdir()
        (root / "teachers").symlink_to(store.root / "teachers")
        runs[name] = Run(config, RunStore(root), data, cache_policy=policy)
    assert all(run.numbers == runs["nowhere"].numbers for run in runs.values())
    assert not any(run.logged for run in runs.values())


def test_the_second_trial_of_a_seed_runs_no_teacher(
    store: RunStore, data: DataSet, config: TrialConfig
) -> None:
    first = opened(config, store, data)
    expected = [epoch_of(first, data, epoch) for epoch in (1, 2)]
    assert first.views.computed == 2 * len(expected[0])
    other = dataclasses.replace(config, student="wrn_10_1", training=Training(epochs=5, precision="float32"))
    later = opened(other, store, data)
    for epoch in (1, 2):
        assert torch.equal(epoch_of(later, data, epoch), expected[epoch - 1])
    assert later.views.computed == 0
    epoch_of(later, data, epoch=5)
    assert later.views.computed == len(expected[0])
    assert torch.equal(epoch_of(opened(config, store, data), data, 2), expected[1])


def test_only_the_first_batch_of_all_is_waited_for(
    store: RunStore, data: DataSet, config: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = opened(config, store, data)
    views = source.views
    views.backends = [ReadAhead(tmp_path / "views", views.shape, views.source.count, 1000, pinned=False)]
    expected = [epoch_of(source, data, epoch) for epoch in (1, 2)]
    waited = waited_for(monkeypatch)
    plans = [data.train.plan(8, epoch=epoch) for epoch in (1, 2)]
    for epoch, (plan, kept) in enumerate(zip(plans, expected, strict=True), start=1):
        source.begin_epoch(data.train, plan, plans[1] if epoch == 1 else None)
        found = []
        for batch in data.train.show(plan, (0, epoch)):
            source.advance(len(batch.target), batch.images)
            found.append(source(batch).regions)
        assert torch.equal(torch.cat(found), kept)
    assert len(waited) == 1


def test_another_seed_shows_other_images(store: RunStore, data: DataSet, config: TrialConfig) -> None:
    epoch_of(opened(config, store, data), data)
    other = opened(dataclasses.replace(config, seed=1), store, data)
    assert epoch_of(other, data, seed=1).isfinite().all()
    assert other.views.computed == 18


def test_seeds_share_a_compiled_pass(
    store: RunStore, data: DataSet, config: TrialConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[bool] = []

    def counted(*settings: Any, compiled_: list[bool] = compiled, **how: bool) -> Any:
        compiled_.append(how.pop("compiled", False))
        return chunk_forward(*settings)

    monkeypatch.setattr(opening, "chunk_forward", counted)
    runtime = Runtime(CPU)
    network = load_teacher(config.teacher, store, data, CPU)  # type: ignore[arg-type]
    for seed in (0, 1, 2):
        inputs = TrialInputs(dataclasses.replace(config, seed=seed), store, data)
        source = open_teacher(network, inputs, runtime, compiled=True)
        assert epoch_of(source, data, seed=seed).isfinite().all()
    assert compiled == [True]
    assert runtime.process_cache.count("views") == 3


def test_outputs_are_the_live_ones_within_rounding_to_half(
    store: RunStore, data: DataSet, config: TrialConfig
) -> None:
    network = load_teacher(config.teacher, store, data, CPU)  # type: ignore[arg-type]
    head = MultiScaleHead(network, (1, 2), full_precision=True)
    live = epoch_of(LiveTeacher(head, config.training, CPU), data)
    ours = epoch_of(opened(config, store, data), data)
    assert ours.dtype == torch.float32
    assert ((ours - live).abs() <= (2**-11 + 1e-5) * live.abs().amax() + 2**-24).all()
    assert not torch.equal(ours, live)


def test_an_interrupted_trial_goes_on_to_the_same_numbers(
    store: RunStore, data: DataSet, config: TrialConfig, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "teachers").symlink_to(store.root / "teachers")
    whole = Run(config, RunStore(tmp_path / "other"), data, cache_policy=CachePolicy("off"))
    Run(config, store, data, stop_after=1)
    assert Run(config, store, data).numbers == whole.numbers


def test_a_trial_that_takes_over_reads_its_own_augmentation(
    store: RunStore, data: DataSet, config: TrialConfig
) -> None:
    goes_on_in_its_own_augmentation(config, store, data)


def test_losses_that_ask_for_maps_run_it_live(store: RunStore, data: DataSet, config: TrialConfig) -> None:
    method = Method(logit=LogitTerm(), features=(FeatureTerm(name="at", weight=1.0),))
    config = dataclasses.replace(config, method=method)
    network = load_teacher(config.teacher, store, data, CPU)  # type: ignore[arg-type]
    assert isinstance(open_teacher(network, TrialInputs(config, store, data), Runtime(CPU)), LiveTeacher)


def test_views_of_cub_200_are_counted_and_remembered(store: RunStore, cub200: Data) -> None:
    data = load(cub200, CPU)
    config = TrialConfig(
        data=cub200,
        student="resnet8",
        teacher=filed(store, 2, 224, "released"),
        method=Method(logit=LogitTerm(scales=(1, 2))),
        training=Training(batch_size=4, precision="float32"),
        large_images="released",
    )
    network = load_teacher(config.teacher, store, data, CPU, "released")  # type: ignore[arg-type]
    sources = [open_teacher(network, TrialInputs(config, store, data), Runtime(CPU)) for _ in range(2)]
    first, again = [], []
    for source, found in zip(sources, (first, again), strict=True):
        assert isinstance(source, CachedTeacher)
        source.views.computed = 0
        found.append(epoch_of(source, data))
    assert torch.equal(first[0], again[0])
    assert sources[0].views.computed == 6  # type: ignore[attr-defined]
    assert sources[1].views.computed == 0  # type: ignore[attr-defined]
