"""DOT moves weights as the formulas of its released code do, a weight and a step at a time."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.stepping import trial
from tests.trainables.trials import CPU, SD_DKD
from trainables.config import FeatureTerm, Method, Training
from trainables.data.dataset import DataSet
from trainables.engine.dot import DOT
from trainables.engine.engine import Engine
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.storage.run_store import RunStore
from trainables.training.build import build_engine

pytestmark = pytest.mark.usefixtures("one_thread")

SETTINGS: dict[str, Any] = {"lr": 0.1, "momentum": 0.9, "dot_delta": 0.075, "weight_decay": 5e-4}
BOTH, LABELS, TEACHER = "both", "labels", "teacher"
"""What reaches each of three weights."""


def weights() -> dict[str, nn.Parameter]:
    draw = torch.Generator().manual_seed(1)
    return {
        name: nn.Parameter(torch.randn(4, 3, generator=draw, dtype=torch.float64))
        for name in (BOTH, LABELS, TEACHER)
    }


def terms(of: dict[str, nn.Parameter], step: int) -> dict[str, Tensor]:
    """Terms of a loss, of which the labels' reaches two weights and the teacher's two another two."""
    draw = torch.Generator().manual_seed(step)
    a, b, c, d = torch.randn(4, 4, 3, generator=draw, dtype=torch.float64)
    return {
        "ce": (a * of[BOTH].sin()).sum() + (b * of[LABELS]).square().sum(),
        "logit": (c * of[BOTH].cos()).sum(),
        "feature": (d * of[TEACHER]).sin().sum(),
    }


class Reference:
    """v_ce <- (m - d) v_ce + g_ce + wd w, v_kd <- (m + d) v_kd + g_kd, w <- w - lr (v_ce + v_kd)."""

    def __init__(
        self,
        of: dict[str, nn.Parameter],
        *,
        lr: float,
        momentum: float,
        dot_delta: float,
        weight_decay: float,
    ) -> None:
        self.of, self.lr, self.decay = of, lr, weight_decay
        self.momenta = {BOTH: (momentum - dot_delta, momentum + dot_delta)}
        self.usual = momentum
        self.buffers: dict[tuple[str, str], Tensor] = {}

    def moved(self, name: str, kind: str, gradient: Tensor, momentum: float) -> Tensor:
        before = self.buffers.get((name, kind))
        self.buffers[name, kind] = gradient if before is None else momentum * before + gradient
        return self.buffers[name, kind]

    def step(self, number: int, factor: float = 1.0) -> None:
        parts = terms(self.of, number)
        labels, teacher = parts["ce"], parts["logit"] + parts["feature"]
        with torch.enable_grad():
            of_labels = dict(
                zip(
                    (BOTH, LABELS), torch.autograd.grad(labels, [self.of[BOTH], self.of[LABELS]]), strict=True
                )
            )
            of_teacher = dict(
                zip(
                    (BOTH, TEACHER),
                    torch.autograd.grad(teacher, [self.of[BOTH], self.of[TEACHER]]),
                    strict=True,
                )
            )
        with torch.no_grad():
            for name, weight in self.of.items():
                first, second = self.momenta.get(name, (self.usual, self.usual))
                decay = self.decay * weight
                total = torch.zeros_like(weight)
                if name in of_labels:
                    total += self.moved(name, "labels", factor * of_labels[name] + decay, first)
                if name in of_teacher:
                    own = decay if name == TEACHER else 0.0
                    total += self.moved(name, "teacher", factor * of_teacher[name] + own, second)
                weight -= self.lr * total


def unscaled(loss: Tensor) -> Tensor:
    return loss


@pytest.mark.parametrize("delta", [0.075, 0.0, -0.05])
def test_moves_weights_as_its_formula_says(delta: float) -> None:
    settings = {**SETTINGS, "dot_delta": delta}
    ours, theirs = weights(), weights()
    optimizer = DOT(ours.values(), Training(optimizer="dot", **settings))
    reference = Reference(theirs, **settings)
    for step in range(6):
        optimizer.lr = reference.lr = 0.1 / (step + 1)
        optimizer.zero_grad()
        optimizer.backward(terms(ours, step), unscaled)
        optimizer.step()
        reference.step(step)
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], rtol=1e-12, atol=1e-14)


def test_one_momentum_for_both_is_sgd() -> None:
    ours, theirs = weights(), weights()
    optimizer = DOT(ours.values(), Training(optimizer="dot", **{**SETTINGS, "dot_delta": 0.0}))
    usual = torch.optim.SGD(theirs.values(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    for step in range(4):
        optimizer.zero_grad()
        optimizer.backward(terms(ours, step), unscaled)
        optimizer.step()
        usual.zero_grad()
        sum(terms(theirs, step).values(), torch.zeros(())).backward()
        usual.step()
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], rtol=1e-12, atol=1e-14)


def test_the_norm_that_clips_is_that_of_the_whole_gradient() -> None:
    ours, theirs = weights(), weights()
    whole = torch.autograd.grad(sum(terms(theirs, 0).values(), torch.zeros(())), [*theirs.values()])
    norm = float(torch.stack([part.square().sum() for part in whole]).sum().sqrt())
    optimizer = DOT(ours.values(), Training(optimizer="dot", clip_norm=norm / 4, **SETTINGS))
    optimizer.backward(terms(ours, 0), unscaled)
    optimizer.step()
    Reference(theirs, **SETTINGS).step(0, factor=norm / 4 / (norm + 1e-6))
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], rtol=1e-12, atol=1e-14)


def epoch(
    store: RunStore, data: DataSet, method: Method, compile_mode: Any = "eager", **training: Any
) -> Engine:
    config = trial(store, method=method, training={"lr": 0.05, **training})
    if not (method.logit or method.features):
        config = dataclasses.replace(config, teacher=None)
    engine = build_engine(TrialInputs(config, store, data), Runtime(CPU, compile_mode=compile_mode))
    engine.train_epoch(data.train, 1, seed=3)
    return engine


def test_without_a_teacher_it_is_sgd(store: RunStore, digits: DataSet) -> None:
    dot = epoch(store, digits, Method(), "compiled", optimizer="dot")
    assert dot.compiled is None
    sgd = epoch(store, digits, Method(), optimizer="sgd")
    for ours, theirs in zip(dot.student.parameters(), sgd.student.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_each_term_of_a_real_loss_has_its_momentum(store: RunStore, digits: DataSet) -> None:
    """The student moves by both, a feature loss's layers by the teacher's side alone."""
    method = Method(logit=SD_DKD, features=(FeatureTerm(name="fitnet", weight=1.0),))
    engine = epoch(store, digits, method, optimizer="dot")
    state = engine.optimizer.state_dict()
    students, layers = len(list(engine.student.parameters())), len(list(engine.criterion.parameters()))
    assert layers > 0
    held = {name: [value is not None for value in values] for name, values in state.items()}
    assert held["labels"] == held["teacher"] == [True] * students + [False] * layers
    assert held["either"] == [False] * students + [True] * layers
