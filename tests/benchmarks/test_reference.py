"""The plain step that speed is compared with computes what ours computes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import trainables.models as models
from benchmarks import made
from benchmarks.loss import ours, theirs
from benchmarks.reference import Reference, regions
from trainables.engine.criterion import Criterion
from trainables.engine.head import MultiScaleHead

CPU = torch.device("cpu")


@pytest.mark.parametrize("count", [1, 5, 21])
def test_loss_with_masks_is_ours(count: int) -> None:
    draw = torch.Generator().manual_seed(1)
    student, teacher = (3 * torch.randn(16, count, 10, generator=draw) for _ in range(2))
    target = torch.randint(10, (16,), generator=draw)
    torch.testing.assert_close(theirs(student, teacher, target), ours(student, teacher, target))


def test_regions_are_ours() -> None:
    network = models.build("resnet8", 10).eval()
    images = torch.randn(3, 3, 32, 32)
    torch.testing.assert_close(
        regions(network, images, (1, 2, 4)).transpose(1, 2),
        MultiScaleHead(network, (1, 2, 4))(images).regions,
    )


def test_step_is_ours(tmp_path: Path) -> None:
    raw = made.raw(100, 4)
    reference = Reference(raw, 16, "resnet8x4", "resnet8", (1, 2), CPU, batch_size=8, workers=0)
    images, target = torch.randn(8, 3, 32, 32), torch.arange(8)
    heads = [MultiScaleHead(network, (1, 2)) for network in (reference.student, reference.teacher)]
    with torch.no_grad():
        student, teacher = (head(images) for head in heads)
    config = made.trial(tmp_path, "resnet8x4", "resnet8", (1, 2), "float32")
    terms = Criterion(config.method)(student, teacher, target, target, epoch=1)
    before = reference.student.classifier.weight.clone()
    assert reference.step(images, target) == pytest.approx(
        sum(term.item() for term in terms.values()), rel=1e-5
    )
    assert not torch.equal(before, reference.student.classifier.weight)
    assert reference.run(3) > 0
