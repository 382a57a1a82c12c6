"""The moving average of weights: its numbers, what it leaves alone, and what it goes on from."""

from __future__ import annotations

import copy

import torch
from torch import nn

from trainables.distributed.process_group import ProcessGroup
from trainables.engine.weight_average import WeightAverage


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def train(student: nn.Module, step: int) -> None:
    """Move every weight, and the running statistics."""
    torch.manual_seed(step)
    student(torch.randn(4, 3, 5, 5))
    with torch.no_grad():
        for weight in student.parameters():
            weight.add_(torch.randn_like(weight))


def test_it_is_the_average_of_the_formula_for_weights_and_running_statistics() -> None:
    student = network()
    average = WeightAverage(student, decay=0.3)
    expected = {name: value.clone().double() for name, value in student.state_dict().items()}
    for step in range(6):
        train(student, step)
        average.update()
        decay = min(0.3, (1 + step) / (10 + step))
        for name, value in student.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * value.double()
    with average.applied():
        found = copy.deepcopy(student.state_dict())
    assert int(found.pop("1.num_batches_tracked")) == 6
    for name, value in found.items():
        torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-6)


def test_the_network_has_its_own_weights_again_to_the_last_bit() -> None:
    student = network()
    average = WeightAverage(student, decay=0.9)
    train(student, 0)
    average.update()
    before = copy.deepcopy(student.state_dict())
    with average.applied():
        assert not torch.equal(student.state_dict()["0.weight"], before["0.weight"])
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())


def test_it_goes_on_from_a_saved_state() -> None:
    student = network()
    average = WeightAverage(student, decay=0.9)
    for step in range(3):
        train(student, step)
        average.update()
    other = copy.deepcopy(student)
    resumed = WeightAverage(other, decay=0.9)
    resumed.load_state_dict(copy.deepcopy(average.state_dict()))
    for network_, moving in ((student, average), (other, resumed)):
        train(network_, 3)
        moving.update()
    assert resumed.steps == average.steps == 4
    pairs = zip(average.state_dict()["averaged"], resumed.state_dict()["averaged"], strict=True)
    assert all(torch.equal(mine, other) for mine, other in pairs)


def test_a_group_has_the_mean_of_its_members() -> None:
    class Pair(ProcessGroup):
        size = 2

        def all_reduce(self, values: torch.Tensor) -> torch.Tensor:
            return values * 3  # the other member has twice as much

    student = network()
    average = WeightAverage(student, decay=0.9)
    before = [value.clone() for value in average.state_dict()["averaged"]]
    average.share(Pair())
    for value, own in zip(average.state_dict()["averaged"], before, strict=True):
        torch.testing.assert_close(value, own * 1.5)
