"""What a step asks of the device, and what it does not."""

from __future__ import annotations

from tests.fakecuda.counters import Counted
from tests.fakecuda.engines import engine, inputs, runtime, train
from trainables.distributed.process_group import ProcessGroup
from trainables.engine.runtime import CachePolicy

EAGER_LAUNCHES = 320
"""Most kernels of an eager step of resnet8 under resnet8 in bf16, the teacher's pass among them."""


def epoch(steps: int, **fields: object) -> Counted:
    """What a second epoch of so many steps asks for."""
    of = inputs(steps=steps)
    built = engine(of, runtime(**fields))
    train(built, of.data)
    with Counted() as counted:
        train(built, of.data)
    return counted


def test_an_eager_step_synchronises_nothing_and_copies_nothing_from_the_host() -> None:
    few, many = epoch(4), epoch(12)
    assert many.synchronisations == few.synchronisations
    assert many.to_device == few.to_device
    assert many.to_host == few.to_host
    assert (many.launches - few.launches) / 8 <= EAGER_LAUNCHES


def test_views_on_the_device_are_looked_up_without_the_teacher() -> None:
    computed, kept = epoch(4), epoch(4, cache_policy=CachePolicy(1 << 32))
    assert kept.launches < computed.launches


def test_memory_is_flat_over_epochs() -> None:
    of = inputs()
    built = engine(of)
    train(built, of.data, epochs=2)
    with Counted() as counted:
        train(built, of.data, epochs=3)
    assert counted.allocations == 0


def test_a_member_of_a_group_of_two_goes_through_a_step() -> None:
    """Its batch normalisation is that of the whole batch, backward too; the other's sums are not added."""

    class Pair(ProcessGroup):
        size = 2

    of = inputs()
    built = engine(of, runtime(group=Pair()))
    with Counted() as counted:
        train(built, of.data)
    assert counted.launches > 0
