from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch

import trainables.models as models
from tests.trainables.stepping import losses, needs_compiler, one_epoch, trial
from tests.trainables.trials import CPU, CRD, SD_DKD, Run, tiny
from trainables.config import LogitTerm, Method, Training
from trainables.data.dataset import DataSet
from trainables.engine import compilation as compiled_room
from trainables.engine import compiled_network as network_room
from trainables.engine import compiled_step as step_room
from trainables.engine.compilation import compile_frozen, try_compile, worth_compiling
from trainables.engine.compiled_network import network_signature
from trainables.engine.compiled_step import CompiledStep, compiled_step, loss_signature
from trainables.engine.criterion import Criterion
from trainables.engine.head import MultiScaleHead
from trainables.engine.process_cache import ProcessCache
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.storage.run_store import RunStore
from trainables.teacher.live import LiveTeacher
from trainables.training.build import build_engine

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def _nothing_failed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_room, "_failures", set())
    monkeypatch.setattr(compiled_room, "_durations", [])


@needs_compiler
def test_compiled_steps_are_the_eager_ones_and_serve_other_trials(store: RunStore, digits: DataSet) -> None:
    config = trial(store)
    assert losses(config, store, digits, "compiled") == pytest.approx(
        losses(config, store, digits, "eager"), rel=1e-5
    )
    term = dataclasses.replace(
        SD_DKD,
        alpha=0.5,
        complementary_weight=2.0,
        warmup_epochs=3,
        options={"temperature": 2.0, "beta": 3.0},
    )
    other, cache = trial(store, term=term, seed=3), ProcessCache()
    losses(config, store, digits, "compiled", cache, steps=4)
    reused = losses(other, store, digits, "compiled", cache)
    assert cache.count("step") == 1
    assert reused == losses(other, store, digits, "compiled")
    assert reused == pytest.approx(losses(other, store, digits, "eager"), rel=1e-5)


def test_what_is_not_compiled_runs_eager_and_says_so_once(
    store: RunStore, digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_compiler(*_: object, **__: object) -> Any:
        raise RuntimeError("no working C++ compiler\nand a long trace")

    for room in (compiled_room, network_room, step_room):
        monkeypatch.setattr(room, "compile_static", no_compiler)
    said: list[str] = []
    config = trial(store)
    for _ in range(2):
        runtime = Runtime(CPU, compile_mode="compiled", log=said.append)
        engine = build_engine(TrialInputs(config, store, digits), runtime)
        assert engine.compiled is None
        assert list(one_epoch(engine, digits, 1)) == losses(config, store, digits, "eager", steps=3)
    assert len(said) == 2
    assert all(line.endswith("runs eager: no working C++ compiler") for line in said)


def test_failed_attempts_are_not_made_again() -> None:
    tries: list[int] = []

    def fail() -> None:
        tries.append(1)
        raise ValueError("no")

    said: list[str] = []
    for _ in range(3):
        assert try_compile("a thing", fail, said.append) is None
    assert (len(tries), len(said)) == (1, 1)


@needs_compiler
def test_the_epoch_after_a_compilation_tells_its_seconds(store: RunStore, digits: DataSet) -> None:
    runtime: dict[str, Any] = {"compile_mode": "compiled", "process_cache": ProcessCache()}
    first, second = (
        Run(tiny(training={"epochs": 2, "lr": lr}), store, digits, **runtime).reports for lr in (0.1, 0.2)
    )
    assert first[0]["time/compile_s"] > 0.1
    assert not [metrics for metrics in (first[1], *second) if "time/compile_s" in metrics]


def test_auto_compiles_long_trials() -> None:
    training, gpu = Training(epochs=100, precision="float32"), torch.device("cuda")
    assert not worth_compiling(training, 10, Runtime(gpu))
    assert worth_compiling(training, 100, Runtime(gpu))
    assert not worth_compiling(training, 100, Runtime(CPU))
    assert worth_compiling(training, 1000, Runtime(CPU))
    assert worth_compiling(training, 1, Runtime(CPU, compile_mode="compiled"))
    assert not worth_compiling(training, 10**6, Runtime(gpu, compile_mode="eager"))


def test_auto_counts_the_trials_that_share_the_code() -> None:
    training, gpu = Training(epochs=100, precision="float32"), torch.device("cuda")
    assert worth_compiling(training, 10, Runtime(gpu, trials=2))
    assert not worth_compiling(training, 10, Runtime(gpu, trials=1))


def test_trials_that_differ_in_numbers_alone_share_a_step(store: RunStore, digits: DataSet) -> None:
    def signature(**changes: Any) -> tuple[str, str]:
        config = trial(store, **changes)
        return network_signature(config, digits, CPU), loss_signature(config)

    numbers = dataclasses.replace(SD_DKD, alpha=3.0, warmup_epochs=5, options={"temperature": 1.5})
    assert (
        signature()
        == signature(term=numbers)
        == signature(seed=4)
        == signature(training={"lr": 0.3, "epochs": 9})
    )
    for term in (
        dataclasses.replace(SD_DKD, scales=(1, 2)),
        dataclasses.replace(SD_DKD, reduction="sum"),
        dataclasses.replace(SD_DKD, agreement="text"),
        LogitTerm(base="nkd", scales=(1, 2, 4)),
        LogitTerm(base="nkd", scales=(1, 2, 4), options={"as_released": True}),
        dataclasses.replace(SD_DKD, standardize="region"),
    ):
        assert signature(term=term)[1] != signature()[1]
        assert signature(term=term)[0] == signature()[0], "the network is not compiled again"
    for base, option, one, other in (("gdkd", "top", 3, 4), ("abkd", "b", 0.3, 0.0)):
        first, second = (LogitTerm(base=base, options={option: value}) for value in (one, other))
        assert signature(term=first) != signature(term=second)
    assert signature(student="wrn_10_1") != signature()
    assert signature(training={"precision": "bf16"}) != signature()
    assert signature(training={"batch_size": 30}) != signature()


@pytest.mark.parametrize("refused", [False, True], ids=["compiled", "refused"])
def test_warming_up_leaves_no_trace(
    store: RunStore, digits: DataSet, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    """Neither does one that fails after a step, as where a capture is refused."""

    def record_and_refuse(call: Callable[[], object], _: torch.device) -> None:
        call()
        if refused:
            raise RuntimeError("no")

    for room in (network_room, step_room):
        monkeypatch.setattr(room, "compile_static", lambda function, *_, **__: function)
    monkeypatch.setattr(network_room, "record", record_and_refuse)
    config = trial(store)
    head = MultiScaleHead(models.build("resnet8", 10), (1, 2, 4))
    before = {name: value.clone() for name, value in head.state_dict().items()}
    step = compiled_step(TrialInputs(config, store, digits), head, Criterion(config.method), Runtime(CPU))
    assert isinstance(step, CompiledStep) != refused
    assert all(torch.equal(value, before[name]) for name, value in head.state_dict().items())
    assert all(parameter.grad is None for parameter in head.parameters())


@needs_compiler
def test_a_live_teacher_is_compiled_once_and_says_the_same(store: RunStore, digits: DataSet) -> None:
    config = trial(store, method=Method(features=(CRD,)), training={"batch_size": 32})
    batch = next(iter(digits.train.batches(32, epoch=1)))
    inputs, runtime = TrialInputs(config, store, digits), Runtime(CPU, compile_mode="compiled")
    eager = build_engine(inputs, Runtime(CPU, compile_mode="eager")).teacher
    first, second = (build_engine(inputs, runtime).teacher for _ in range(2))
    assert isinstance(eager, LiveTeacher)
    assert isinstance(first, LiveTeacher)
    assert isinstance(second, LiveTeacher)
    assert first.compiled is not None
    assert first.compiled is second.compiled
    expected, found = eager(batch), first(batch)
    torch.testing.assert_close(found.regions, expected.regions, rtol=1e-5, atol=1e-5)
    assert expected.features is not None
    assert found.features is not None
    for ours, theirs in zip(found.features.maps, expected.features.maps, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@needs_compiler
def test_a_compiled_teacher_has_its_weights_built_in(store: RunStore) -> None:
    """Where they are arguments, none can be folded or laid out beforehand."""
    images = torch.randn(4, 3, 32, 32)
    networks = [models.build("resnet8", 10).eval().requires_grad_(False) for _ in range(2)]
    compiled = [compile_frozen(network, images) for network in networks]
    before = [run(images) for run in compiled]
    for run, network, expected in zip(compiled, networks, before, strict=True):
        with torch.no_grad():
            torch.testing.assert_close(expected, network(images), rtol=1e-4, atol=1e-4)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                assert module.running_mean is not None
                module.running_mean.add_(1.0)
        assert torch.equal(run(images), expected)
    assert not torch.equal(*before)
