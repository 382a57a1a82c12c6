"""Every logit loss, compiled as a step compiles it, against itself eager: values and gradients.

The student is one convolution, so that a case takes seconds; whole networks are compiled in
``test_compiled_against_eager.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.trainables.stepping import needs_compiler
from trainables.config import LogitTerm, Method, Training
from trainables.config.method import MapKind
from trainables.engine.compiled_network import CompiledNetwork
from trainables.engine.compiled_step import CompiledStep
from trainables.engine.criterion import Criterion
from trainables.engine.head import HeadOutputs, MultiScaleHead
from trainables.losses import check_logit_loss
from trainables.losses.catalog import LOGIT_LOSSES
from trainables.losses.registry import logit_loss_spec
from trainables.models.backbone import Backbone, StageMaps, conv

pytestmark = [pytest.mark.usefixtures("one_thread", "float64"), pytest.mark.slow, needs_compiler]

CPU, IMAGES, CLASSES = torch.device("cpu"), 12, 10


@pytest.fixture
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class OneConvolution(Backbone):
    """A 4x4 map of six channels."""

    feature_channels = 6

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.fc = conv(3, 6, 3, stride=2), nn.Linear(6, CLASSES)

    def forward_stages(self, x: Tensor, kind: MapKind = "released") -> StageMaps:
        before = self.stem(x)
        return StageMaps((F.relu(before),), (before,))


def of(values: dict[str, Tensor], student: MultiScaleHead) -> list[Tensor]:
    """The terms of a step, and the gradients of their sum."""
    loss = torch.stack(list(values.values())).sum()
    return [*values.values(), *torch.autograd.grad(loss, list(student.parameters()))]


@pytest.mark.parametrize("standardize", ["no", "region", "whole"])
@pytest.mark.parametrize("base", LOGIT_LOSSES)
def test_a_compiled_loss_is_the_eager_one(base: str, standardize: str) -> None:
    torch.manual_seed(0)
    options = check_logit_loss(base, {})
    term = LogitTerm(
        base=base,
        options=options,
        scales=(1, 2),
        complementary_weight=2.0,
        standardize=standardize,  # type: ignore[arg-type]
    )
    head, criterion = MultiScaleHead(OneConvolution(), (1, 2)), Criterion(Method(logit=term))
    training = Training(batch_size=IMAGES, precision="float32")
    network = CompiledNetwork(head, training, CPU)
    network.warm_up((8, 8))
    step = CompiledStep(network, head, criterion, training, CPU)
    assert step.fuses_loss
    step.warm_up((8, 8), CLASSES, teacher=True)
    student = step.begin_trial(head, criterion)
    teacher = HeadOutputs(torch.randn(IMAGES, 5, CLASSES), None)
    strong = None
    if logit_loss_spec(base).views == 2:
        teacher = teacher._replace(strong=torch.randn(IMAGES, 5, CLASSES))
        strong = torch.randn(IMAGES, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    images, target = torch.randn(IMAGES, 3, 8, 8), torch.arange(IMAGES) % CLASSES
    images = images.contiguous(memory_format=torch.channels_last)
    weights = {name: torch.tensor(value) for name, value in criterion.weights(1).items()}
    compiled, logits = step(images, teacher, target, target, weights, None, strong)
    eager = criterion(student(images, strong), teacher, target, target, epoch=1)
    assert compiled.keys() == eager.keys()
    torch.testing.assert_close(logits, student(images).logits)
    assert all(bool(value > 0) for value in eager.values())
    for one, other in zip(of(compiled, student), of(eager, student), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)
