"""Compiled steps and teachers: compiled once in a process, network and loss apart, and recorded whole."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from tests.fakecuda.counters import Counted, memory, refuse_captures
from tests.fakecuda.engines import engine, inputs, runtime, train
from trainables.config import FeatureTerm, LogitTerm, Method
from trainables.engine.compilation import compilation_seconds
from trainables.engine.process_cache import ProcessCache
from trainables.engine.runtime import CachePolicy, Runtime, TrialInputs
from trainables.losses import register_logit_loss
from trainables.losses.registry import logit_loss_fingerprint

pytestmark = pytest.mark.slow

COMPILED_KERNELS = 200
"""Most kernels in the graph of a compiled step of resnet8."""

cache = ProcessCache()
said: list[str] = []


def compiled() -> Runtime:
    """Of a process that has trained other trials before."""
    policy = CachePolicy(1 << 32)
    return runtime(compile_mode="compiled", process_cache=cache, cache_policy=policy, log=said.append)


@pytest.fixture(scope="module")
def first() -> TrialInputs:
    """A trial that has made all that is compiled."""
    of = inputs(steps=8)
    built = engine(of, compiled())
    assert built.compiled is not None
    train(built, of.data)
    compilation_seconds()
    return of


def changed(of: TrialInputs, **training: object) -> TrialInputs:
    """The same trial under other settings of optimisation."""
    settings = dataclasses.replace(of.config.training, **training)  # type: ignore[arg-type]
    return dataclasses.replace(of, config=dataclasses.replace(of.config, training=settings))


def test_a_compiled_step_is_one_graph_of_few_kernels(first: TrialInputs) -> None:
    """What is built into the graph alone, as a weight decay, is recorded anew and not compiled."""
    with Counted() as counted:
        built = engine(changed(first, weight_decay=1e-3), compiled())
    assert counted.captures == 1
    assert 0 < counted.captured <= COMPILED_KERNELS
    train(built, first.data)
    with Counted() as counted:
        train(built, first.data)
    assert counted.graph_launches == 8
    assert counted.captures == 0
    assert said == []


def test_another_trial_and_a_resumed_one_capture_nothing(first: TrialInputs) -> None:
    """Nor do they take more memory, once there was room for a trial and the state it goes on from."""
    held: list[int] = []
    with Counted() as counted:
        for lr in (0.01, 0.02, 0.03):
            other = changed(first, lr=lr)
            built = engine(other, compiled())
            train(built, other.data)
            state = built.student.network.state_dict(), built.optimizer.state_dict()
            resumed = engine(other, compiled())
            resumed.student.network.load_state_dict(state[0])
            resumed.optimizer.load_state_dict(state[1])
            resumed.train_epoch(other.data.train, 2, seed=5)
            assert resumed.compiled is built.compiled
            held.append(memory())
    assert counted.captures == 0
    assert held[1] == held[2]
    assert said == []


def test_another_loss_does_not_compile_the_network_again(first: TrialInputs) -> None:
    method = Method(logit=LogitTerm(base="nkd", scales=(1, 2, 4)))
    other = under(first, method)
    built = engine(other, compiled())
    train(built, other.data)
    assert (cache.count("network"), cache.count("step")) == (1, 2)
    assert said == []


APART_KERNELS = 280
"""Most kernels of a step of resnet8 beside its graphs: copies, CRD and its gradients, the update."""

CRD = Method(features=(FeatureTerm(name="crd", weight=1.0, options={"dim": 8, "negatives": 32}),))


def under(of: TrialInputs, method: Method) -> TrialInputs:
    """The same trial by another method."""
    return dataclasses.replace(of, config=dataclasses.replace(of.config, method=method))


def test_networks_are_graphs_under_a_loss_that_cannot_be_recorded(first: TrialInputs) -> None:
    other = under(first, CRD)
    built = engine(other, compiled())
    assert built.whole is None, "the step as a whole is not recorded"
    with Counted() as counted:
        train(built, other.data)
    assert counted.captures == 0, "all was captured where a refusal is caught"
    assert counted.graph_launches == 8 * 3, "the teacher, the student, its gradients"
    assert counted.launches / 8 <= APART_KERNELS
    held: list[int] = []
    with Counted() as counted:
        for lr in (0.01, 0.02, 0.03):
            train(engine(changed(other, lr=lr), compiled()), other.data)
            held.append(memory())
    assert counted.captures == 0
    assert held[1] == held[2]
    assert said == []


def test_networks_are_graphs_under_a_loss_of_the_users_own(first: TrialInputs) -> None:
    """It may keep what it is given: nothing of that is written over."""
    kept: list[torch.Tensor] = []

    @register_logit_loss("remembering_gap")
    def gap(student: torch.Tensor, teacher: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        kept.extend((student.detach(), teacher))
        return (student - teacher).square().mean(dim=1)

    code = logit_loss_fingerprint("remembering_gap")
    other = under(first, Method(logit=LogitTerm(base="remembering_gap", code=code, scales=(1, 2))))
    for mixup in (0.0, 0.4):  # with a remembered and with a live teacher
        mixed = changed(other, mixup=mixup)
        built = engine(mixed, compiled())
        train(built, mixed.data)  # computes what is remembered
        kept.clear()
        with Counted() as counted:
            train(built, mixed.data)
        assert counted.graph_launches == 8 * (3 if mixup else 2)
        assert counted.captures == 0
        assert len({tensor.data_ptr() for tensor in kept}) == len(kept) == 8 * 2
    assert said == []


def test_a_refused_capture_of_a_network_is_said_and_its_kernels_are_launched(first: TrialInputs) -> None:
    lines: list[str] = []
    refuse_captures(True)
    try:
        on = dataclasses.replace(compiled(), process_cache=ProcessCache(), log=lines.append)
        built = engine(under(first, CRD), on)
    finally:
        refuse_captures(False)
    assert len(lines) == 2, lines
    assert all("is launched kernel by kernel: " in line for line in lines)
    assert built.compiled is not None
    with Counted() as counted:
        train(built, first.data)
    assert counted.graph_launches == 0


def test_a_refused_capture_is_said_and_the_trial_goes_on(first: TrialInputs) -> None:
    lines: list[str] = []
    refuse_captures(True)
    try:
        on = dataclasses.replace(compiled(), log=lines.append)
        built = engine(changed(first, momentum=0.8), on)
    finally:
        refuse_captures(False)
    assert built.compiled is not None
    (line,) = lines
    assert "is launched kernel by kernel: " in line
    train(built, first.data)
