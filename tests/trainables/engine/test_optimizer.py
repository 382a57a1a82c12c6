"""The optimiser moves weights as torch's own does, to the last bit, and goes on from a saved state."""

from __future__ import annotations

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from trainables.config import ConfigError, Data, Training, TrialConfig
from trainables.engine.optimizer import SGD, AdamW, Optimizer
from trainables.engine.optimizers import OPTIMIZERS, make_optimizer

USES = """
import sys
import torch
from torch import nn
from trainables.config import Training
from trainables.engine.optimizers import OPTIMIZERS, make_optimizer

network = nn.Linear(3, 2)
for name in OPTIMIZERS:
    optimizer = make_optimizer(network.parameters(), Training(optimizer=name, lr=0.01))
    network(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    optimizer.load_state_dict(optimizer.state_dict())
assert "torch._dynamo" not in sys.modules
"""


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3))


def backward(student: nn.Module, step: int) -> None:
    torch.manual_seed(step)
    student(torch.randn(8, 5)).square().mean().backward()


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_moves_weights_as_torch_does(momentum: float, nesterov: bool) -> None:
    if nesterov and not momentum:
        return
    settings = {"momentum": momentum, "weight_decay": 5e-4, "nesterov": nesterov}
    training = Training(epochs=1, milestones=(), lr=0.1, **settings)
    ours, theirs = network(), network()
    optimizer = SGD(ours.parameters(), training)
    reference = torch.optim.SGD(theirs.parameters(), lr=0.1, fused=True, **settings)
    for step in range(6):
        optimizer.lr = reference.param_groups[0]["lr"] = 0.1 / (step + 1)
        for student, moving in ((ours, optimizer), (theirs, reference)):
            backward(student, step)
            moving.step()
            moving.zero_grad()
            assert all(parameter.grad is None for parameter in student.parameters())
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(mine, other)


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.8, 0.95)])
@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_adamw_moves_weights_as_torch_does(betas: tuple[float, float], decay: float) -> None:
    training = Training(
        optimizer="adamw",
        lr=0.01,
        weight_decay=decay,
        adam_beta1=betas[0],
        adam_beta2=betas[1],
        adam_eps=1e-6,
    )
    ours, theirs = network(), network()
    optimizer = AdamW(ours.parameters(), training)
    reference = torch.optim.AdamW(
        theirs.parameters(), lr=0.01, weight_decay=decay, betas=betas, eps=1e-6, fused=True
    )
    for step in range(6):
        optimizer.lr = reference.param_groups[0]["lr"] = 0.01 / (step + 1)
        for student, moving in ((ours, optimizer), (theirs, reference)):
            backward(student, step)
            moving.step()
            moving.zero_grad()
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(mine, other)


@pytest.mark.parametrize("norm", [1e-3, 0.05, 40.0])
def test_clips_the_gradient_as_torch_does(norm: float) -> None:
    training = Training(epochs=1, milestones=(), lr=0.1, clip_norm=norm)
    ours, theirs, free = network(), network(), network()
    optimizer, unclipped = SGD(ours.parameters(), training), SGD(free.parameters(), Training(lr=0.1))
    reference = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, fused=True)
    before = 0.0
    for step in range(4):
        for student in (ours, theirs, free):
            backward(student, step)
        before = max(before, float(torch.nn.utils.clip_grad_norm_(theirs.parameters(), norm)))
        for moving in (optimizer, reference, unclipped):
            moving.step()
            moving.zero_grad()
    pairs = list(zip(ours.parameters(), theirs.parameters(), strict=True))
    assert all(torch.equal(mine, other) for mine, other in pairs)
    acted = not all(map(torch.equal, ours.parameters(), free.parameters()))
    assert acted == (norm < before)


def test_a_norm_of_nought_is_refused_and_none_stays_out_of_the_key() -> None:
    with pytest.raises(ConfigError, match=r"clip_norm: 0\.0 is not above 0"):
        Training(clip_norm=0.0)
    data = Data(name="cifar100")
    keys = {
        TrialConfig(data=data, student="vgg8", training=training).trial_key
        for training in (
            Training(precision="float32"),
            Training(precision="float32", clip_norm=None, drop_last=False),
        )
    }
    assert len(keys) == 1
    for changed in ({"clip_norm": 40.0}, {"drop_last": True}):
        training = Training(precision="float32", **changed)
        assert TrialConfig(data=data, student="vgg8", training=training).trial_key not in keys


@pytest.mark.parametrize("training", [Training(optimizer=name, lr=0.01) for name in OPTIMIZERS])
def test_goes_on_from_a_saved_state(training: Training) -> None:
    whole = network()
    optimizer: Optimizer = make_optimizer(whole.parameters(), training)
    for step in range(3):
        backward(whole, step)
        optimizer.step()
        optimizer.zero_grad()
    rest, state = copy.deepcopy(whole), copy.deepcopy(optimizer.state_dict())
    resumed = make_optimizer(rest.parameters(), training)
    resumed.load_state_dict(state)
    for student, moving in ((whole, optimizer), (rest, resumed)):
        backward(student, 3)
        moving.step()
    for mine, other in zip(whole.parameters(), rest.parameters(), strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize("training", [Training(optimizer=name, lr=0.1) for name in OPTIMIZERS])
def test_a_parameter_without_a_gradient_stays(training: Training) -> None:
    student = network()
    before = student[2].weight.clone()
    optimizer = make_optimizer(student.parameters(), training)
    student[0](torch.ones(2, 5)).sum().backward()
    optimizer.step()
    assert torch.equal(student[2].weight, before)


def test_leaves_dynamo_unimported() -> None:
    subprocess.run([sys.executable, "-c", USES], check=True)
