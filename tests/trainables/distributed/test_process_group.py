"""Two processes train the same trials as one, over gloo, without Ray."""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from tests.trainables.trials import CPU, CRD, SD_DKD, Run, file_teacher, numbers, tiny
from trainables.config import ConfigError, FeatureTerm, LogitTerm, Method, TrialConfig
from trainables.data import load
from trainables.data.dataset import DataSet
from trainables.distributed.batch_norm import batch_statistics
from trainables.distributed.process_group import SINGLE_PROCESS, DistributedGroup, ProcessGroup, peer_lost
from trainables.engine.engine import Engine
from trainables.engine.evaluation import Metrics
from trainables.storage.run_store import RunStore
from trainables.training.loop import NonFiniteLoss

pytestmark = pytest.mark.usefixtures("one_thread")

FEATURES = Method(
    logit=LogitTerm(),
    features=(
        FeatureTerm(name="fitnet", weight=1.0),
        FeatureTerm(name="reviewkd", weight=0.5, options={"max_channels": 16}),
    ),
)
STEADY = {"lr": 1e-3, "epochs": 1}
"""A rate at which roundings do not grow."""
AVERAGED = {"epochs": 2, "optimizer": "adamw", "adam_eps": 1e-3, "label_smoothing": 0.1, "ema_decay": 0.8}
"""What else a training may have; AdamW's steps are of one size however small a gradient is, but for eps."""


def trials(store: RunStore) -> dict[str, TrialConfig]:
    """The trials that are trained by one process and by two."""
    teacher = file_teacher(store)
    distilled = tiny(Method(logit=SD_DKD), teacher=teacher, training={**STEADY, "epochs": 3}, test="end")
    parts = {**STEADY, "batch_norm_parts": 2}
    return {
        "distilled": distilled,
        "features": tiny(FEATURES, teacher=teacher, training=STEADY),
        "parts": tiny(Method(logit=SD_DKD), teacher=teacher, training=parts),
        "averaged": tiny(Method(logit=SD_DKD), teacher=teacher, training={**parts, **AVERAGED}),
        "two momenta": tiny(FEATURES, teacher=teacher, training={**STEADY, "optimizer": "dot"}),
    }


@dataclass(frozen=True, slots=True)
class Seen:
    """What one process of a group saw.

    Attributes:
        curves: reports of each trial.
        resumed: reports of two trials, gone on with after one epoch, and the epochs that were trained.
        failed: what became of a trial whose loss is not finite.
        refused: what became of a trial whose feature loss compares images.
        normalised: outputs and gradients of :func:`normalise`.
    """

    curves: dict[str, list[Metrics]]
    resumed: dict[str, list[Metrics]]
    trained: list[int]
    failed: str
    refused: str
    normalised: list[Any]


def normalise(group: ProcessGroup, parts: int) -> list[Tensor]:
    """Output and gradients of batch normalisation of this process's share of 7 images, and running values."""
    generator = torch.Generator().manual_seed(5)
    images, slope = (torch.randn(7, 3, 2, 2, generator=generator) * 3 + 1 for _ in range(2))
    rank, size = group.share
    x = images[rank::size].requires_grad_()
    weight, bias = torch.rand(3, generator=generator).requires_grad_(), torch.zeros(3, requires_grad=True)
    mean, var = torch.zeros(3), torch.ones(3)
    with batch_statistics(parts, group):
        y = functional.batch_norm(x, mean, var, weight, bias, training=True)
    (y * slope[rank::size]).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert weight.grad is not None
    assert bias.grad is not None
    return [y.detach(), x.grad, group.all_reduce(weight.grad), group.all_reduce(bias.grad), mean, var]


def as_lists(tensors: list[Tensor]) -> list[Any]:
    """Tensors as they travel between processes of which one may have ended."""
    return [tensor.tolist() for tensor in tensors]


def member(rank: int, size: int, folder: str, answers: Any) -> None:
    """One process of a group; puts what it :class:`Seen` into a queue."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=size)
    group, store = DistributedGroup(), RunStore(Path(folder) / "store")
    configs = trials(store)
    data = load(configs["parts"].data, CPU)
    curves = {name: Run(config, store, data, group=group).reports for name, config in configs.items()}
    epochs: list[int] = []
    whole = Engine.train_epoch

    def counted(engine: Engine, split: Any, epoch: int, seed: int) -> dict[str, float]:
        epochs.append(epoch)
        return whole(engine, split, epoch, seed)

    Engine.train_epoch = counted  # type: ignore[method-assign]
    other = RunStore(Path(folder) / "resumed")
    trials(other)
    resumed = {}
    for name in ("distilled", "averaged"):
        Run(configs[name], other, data, group=group, stop_after=1)
        resumed[name] = Run(configs[name], other, data, group=group).reports
    failed = refused = ""
    try:
        Run(tiny(training={"lr": 1e20}), store, data, group=group)
    except NonFiniteLoss as error:
        failed = str(error)
    try:
        teacher = configs["distilled"].teacher
        Run(tiny(Method(features=(CRD,)), teacher=teacher), store, data, group=group)
    except ConfigError as error:
        refused = str(error)
    answers.put((rank, Seen(curves, resumed, epochs, failed, refused, as_lists(normalise(group, 1)))))
    distributed.barrier()
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Seen], RunStore]:
    """What two processes saw, by rank, and where they filed it."""
    folder = tmp_path_factory.mktemp("pair")
    spawn = multiprocessing.get_context("spawn")
    answers = spawn.Queue()
    processes = [spawn.Process(target=member, args=(rank, 2, str(folder), answers)) for rank in range(2)]
    for process in processes:
        process.start()
    try:
        seen = dict(answers.get(timeout=240) for _ in processes)
    finally:
        for process in processes:
            process.join(10)
            process.kill()
    return [seen[0], seen[1]], RunStore(folder / "store")


@pytest.mark.parametrize("name", ["distilled", "features", "parts", "averaged", "two momenta"])
def test_two_processes_see_the_curve_of_one(
    pair: tuple[list[Seen], RunStore], store: RunStore, digits: DataSet, name: str
) -> None:
    config = trials(store)[name]
    one = Run(config, store, digits).numbers
    two = numbers(pair[0][0].curves[name])
    assert len(one) == config.training.epochs
    for alone, shared in zip(one, two, strict=True):
        assert shared == {
            key: pytest.approx(value, rel=1e-4, abs=1.5 if "top" in key else 1e-9)
            for key, value in alone.items()
        }


def test_all_members_report_the_same_and_the_leader_files_it(pair: tuple[list[Seen], RunStore]) -> None:
    (leader, other), store = pair
    for name, curve in leader.curves.items():
        assert numbers(curve) == numbers(other.curves[name])
        result = store.run(trials(store)[name].trial_key).result()
        assert result is not None
        assert result["history"] == curve
        assert result["weights"]


def test_a_group_goes_on_from_a_checkpoint_to_the_last_bit(pair: tuple[list[Seen], RunStore]) -> None:
    for seen in pair[0]:
        assert seen.trained[:5] == [1, 2, 3, 1, 2]
        for name, curve in seen.resumed.items():
            assert numbers(curve) == numbers(seen.curves[name])


def test_what_fails_fails_for_all(pair: tuple[list[Seen], RunStore]) -> None:
    for seen in pair[0]:
        assert "in epoch 1" in seen.failed
        assert "crd compares the images of a batch with each other" in seen.refused


def test_statistics_are_those_of_the_whole_batch(pair: tuple[list[Seen], RunStore]) -> None:
    whole = normalise(SINGLE_PROCESS, 1)
    shares = [[torch.tensor(values) for values in seen.normalised] for seen in pair[0]]
    for position, expected in enumerate(whole):
        if position < 2:
            together = torch.empty_like(expected)
            together[0::2], together[1::2] = (share[position] for share in shares)
        else:
            together = shares[0][position]
            assert torch.equal(together, shares[1][position])
        torch.testing.assert_close(together, expected, rtol=1e-5, atol=1e-5)


def test_the_backward_pass_asks_for_no_statistics_of_the_forward_pass() -> None:
    """CUDA refuses None in their place; empty ones give the same bits on a CPU."""
    given: list[Any] = []

    class Recorded(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if function is torch.ops.aten.native_batch_norm_backward.default:
                given.extend(args[5:7])
            return function(*args, **(kwargs or {}))

    class Pair(ProcessGroup):
        size = 2

    x = torch.randn(4, 3, 2, 2, requires_grad=True)
    weight, bias = torch.rand(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    with batch_statistics(1, Pair()):
        y = functional.batch_norm(x, torch.zeros(3), torch.ones(3), weight, bias, training=True)
    with Recorded():
        y.sum().backward()  # type: ignore[no-untyped-call]
    assert [tuple(values.shape) for values in given] == [(0,), (0,)]


def test_parts_are_normalised_by_themselves() -> None:
    images = torch.randn(8, 3, 2, 2) * 3 + 1
    mean, var = torch.zeros(3), torch.ones(3)
    with batch_statistics(2, SINGLE_PROCESS):
        y = functional.batch_norm(images, mean, var, training=True)
        plain = functional.batch_norm(images, mean, var, training=False)
    for part in range(2):
        expected = functional.batch_norm(images[part::2], None, None, training=True)
        torch.testing.assert_close(y[part::2], expected)
    torch.testing.assert_close(mean, 0.1 * images.mean((0, 2, 3)))
    torch.testing.assert_close(plain, functional.batch_norm(images, mean, var))


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (RuntimeError("[../gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:1"), True),
        (distributed.DistBackendError("NCCL error in: x.cpp"), True),
        (RuntimeError("shape '[4]' is invalid for input of size 5"), False),
        (torch.OutOfMemoryError("CUDA out of memory"), False),
        (NonFiniteLoss("the loss is nan in epoch 1"), False),
    ],
)
def test_the_end_of_another_process_is_told_from_a_fault_of_ones_own(error: Exception, lost: bool) -> None:
    assert peer_lost(error) == lost


def test_a_field_that_came_later_leaves_keys_as_they_were() -> None:
    config = tiny()
    plain = config.to_dict()
    assert plain["training"].pop("batch_norm_parts") == 1
    assert TrialConfig.from_dict(plain).trial_key == config.trial_key
    parts = dataclasses.replace(config.training, batch_norm_parts=2)
    assert dataclasses.replace(config, training=parts).trial_key != config.trial_key


@pytest.mark.parametrize(
    "change", [{"batch_norm_parts": 3}, {"batch_norm_parts": 32}, {"batch_norm_parts": 0}]
)
def test_parts_that_are_not_equal_are_refused(change: dict[str, int]) -> None:
    make: Callable[..., TrialConfig] = tiny
    with pytest.raises(ConfigError, match="batch_norm_parts"):
        make(training=change)
