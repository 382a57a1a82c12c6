from __future__ import annotations

import math

import pytest
import torch

from tests.trainables.losses.conftest import Reference, gradient
from trainables.losses import Features, FeatureShapes, feature_loss
from trainables.losses.pkt import neighbour_probabilities


def _features(pooled: torch.Tensor) -> Features:
    return Features((), (), pooled)


def _loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    shapes = [FeatureShapes(((x.shape[1], 1, 1),)) for x in (student, teacher)]
    nothing = torch.zeros(len(student), dtype=torch.long)
    loss = feature_loss("pkt", shapes[0], shapes[1], 100)
    return loss.forward(_features(student), _features(teacher), nothing, nothing)


def test_agrees_with_the_released_code(reference: Reference) -> None:
    student = reference.tensor("features/student").relu().mean((2, 3)).requires_grad_()
    teacher = reference.tensor("features/teacher_pooled")
    loss = _loss(student, teacher)
    # The value is a sum of terms near 1e-4 that cancel to 2e-7, of which float32 keeps two digits: the stored
    # one is 0.4 % above the exact one. The gradient does not cancel.
    assert loss.item() == pytest.approx(reference.value("features/pkt"), rel=1e-2, abs=0)
    exact = _loss(student.detach().double(), teacher.double()).item()
    assert exact == pytest.approx(reference.value("features/pkt"), rel=5e-3, abs=0)
    expected = reference.tensor("features/pkt/grad")
    torch.testing.assert_close(30000 * gradient(loss, student), 30000 * expected, rtol=1e-4, atol=1e-6)


def test_two_images_by_hand() -> None:
    # Student: orthogonal images, probabilities (2/3, 1/3); teacher: opposite ones, (1, 0).
    student = torch.tensor([[2.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    teacher = torch.tensor([[1.0], [-3.0]], dtype=torch.float64)
    expected = torch.tensor([[2 / 3, 1 / 3], [1 / 3, 2 / 3]], dtype=torch.float64)
    torch.testing.assert_close(neighbour_probabilities(student), expected, rtol=1e-6, atol=1e-6)
    assert _loss(student, teacher).item() == pytest.approx(math.log(1.5) / 2, rel=1e-5)


def test_images_without_any_activation_have_finite_gradients() -> None:
    student = torch.zeros(3, 4)
    student[0] = torch.rand(4)
    student.requires_grad_()
    assert torch.isfinite(gradient(_loss(student, torch.rand(3, 4)), student)).all()
