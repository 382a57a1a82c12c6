from __future__ import annotations

import pytest
import torch
from torch.nn import functional

import trainables.models as models
from tests.trainables.trials import CPU
from trainables.config import Training
from trainables.data.dataset import DataSet
from trainables.engine.device import autocast
from trainables.engine.evaluation import MetricTotals, evaluate
from trainables.engine.runtime import Runtime
from trainables.engine.schedule import learning_rate

pytestmark = pytest.mark.usefixtures("one_thread")


def test_step_schedule_divides_at_milestones() -> None:
    training = Training(precision="float32", lr=0.1, milestones=(2, 4), epochs=6)
    rates = [learning_rate(training, epochs_done) for epochs_done in (0, 1.99, 2, 3.5, 4)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001])


def test_cosine_schedule_ends_at_nought() -> None:
    training = Training(precision="float32", lr=0.2, schedule="cosine", epochs=4)
    rates = [learning_rate(training, epochs_done) for epochs_done in (0, 2, 4)]
    assert rates == pytest.approx([0.2, 0.1, 0.0])


def test_learning_rate_warms_up_linearly() -> None:
    training = Training(precision="float32", lr=0.3, lr_warmup_epochs=2)
    rates = [learning_rate(training, epochs_done) for epochs_done in (0, 0.5, 1, 2, 5)]
    assert rates == pytest.approx([0.1, 0.15, 0.2, 0.3, 0.3])


def test_autocast_follows_the_configuration() -> None:
    x = torch.ones(2, 2)
    for precision, dtype in (("float32", torch.float32), ("bf16", torch.bfloat16)):
        with autocast(Training(precision=precision), CPU):  # type: ignore[arg-type]
            assert (x @ x).dtype == dtype


def test_totals_are_means_over_images() -> None:
    totals = MetricTotals()
    totals.add(2, a=torch.tensor(4.0))
    totals.add(1, a=torch.tensor(5.0))
    assert totals.means() == {"a": 3.0}
    assert MetricTotals().means() == {}


def test_evaluation_does_not_depend_on_the_size_of_its_batches(digits: DataSet) -> None:
    torch.manual_seed(0)
    network = models.build("resnet8", 10)
    whole, pieces = (
        evaluate(
            network,
            digits.test.batches(size, epoch=None),
            "test",
            Training(precision="float32"),
            Runtime(CPU),
        )
        for size in (100, 7)
    )
    assert whole == pytest.approx(pieces, rel=1e-5)
    (batch,) = digits.test.batches(100, epoch=None)
    logits = network(batch.images)
    assert whole["test/loss"] == pytest.approx(
        functional.cross_entropy(logits, batch.target).item(), rel=1e-5
    )
    rank = (logits > logits.gather(1, batch.target[:, None])).sum(1)
    assert whole["test/top1"] == pytest.approx(100 * (rank < 1).float().mean().item())
    assert whole["test/top5"] == pytest.approx(100 * (rank < 5).float().mean().item())


def test_evaluation_classifies_in_float32_whatever_the_network_computes_in(digits: DataSet) -> None:
    """In bf16 two classes often have the very same logit, and the first of them would win."""
    torch.manual_seed(0)
    network = models.build("resnet8", 10)
    (batch,) = digits.test.batches(200, epoch=None)
    training = Training(precision="bf16")
    measured = evaluate(network, [batch], "test", training, Runtime(CPU))
    with torch.no_grad(), autocast(training, CPU):
        final = network.forward_features(batch.images.contiguous(memory_format=torch.channels_last))
        half = network(batch.images)
    with torch.no_grad():
        logits = network.classifier(final.float().mean((2, 3)))
    assert half.dtype == final.dtype == torch.bfloat16
    assert measured["test/loss"] == functional.cross_entropy(logits, batch.target).item()
    assert measured["test/loss"] != functional.cross_entropy(half.float(), batch.target).item()
