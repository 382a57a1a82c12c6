from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.trainables.losses.conftest import gradient
from tests.trainables.losses.pairs import batch, make_loss
from trainables.losses.rkd import angle_relations, distance_relations

# A right triangle with sides 3, 4, 5.
TRIANGLE = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]], dtype=torch.float64)


def test_distances_of_a_triangle() -> None:
    expected = torch.tensor([[0, 3, 4], [3, 0, 5], [4, 5, 0]], dtype=torch.float64)
    torch.testing.assert_close(distance_relations(TRIANGLE), expected / 4)
    torch.testing.assert_close(distance_relations(TRIANGLE, squared=True), expected**2 / (50 / 3))


def test_angles_of_a_triangle() -> None:
    angles = angle_relations(TRIANGLE)
    assert angles[0, 1, 2].item() == pytest.approx(0, abs=1e-12)
    assert angles[1, 0, 2].item() == pytest.approx(0.6)
    assert angles[2, 0, 1].item() == pytest.approx(0.8)
    assert angles[1, 2, 2].item() == pytest.approx(1)
    assert angles[1, 1, 2] == 0


def _slow(student: Tensor, teacher: Tensor) -> float:
    """The loss pair by pair and triplet by triplet."""

    def relations(x: Tensor) -> tuple[Tensor, Tensor]:
        n = len(x)
        d = torch.tensor([[math.dist(a, b) for b in x.tolist()] for a in x.tolist()], dtype=torch.float64)
        angles = torch.zeros(n, n, n, dtype=torch.float64)
        for i in range(n):
            for j in range(n):
                for k in range(n):
                    if i not in (j, k):
                        angles[i, j, k] = F.cosine_similarity(x[i] - x[j], x[i] - x[k], dim=0)
        return d * n * (n - 1) / d.sum(), angles

    (d_s, a_s), (d_t, a_t) = relations(student), relations(teacher)
    return 25 * F.smooth_l1_loss(d_s, d_t).item() + 50 * F.smooth_l1_loss(a_s, a_t).item()


def test_against_loops_over_pairs_and_triplets() -> None:
    student, teacher, target, index = batch()
    loss = make_loss("rkd")(student, teacher, target, index)
    assert loss.item() == pytest.approx(_slow(student.pooled, teacher.pooled))


def test_is_indifferent_to_where_and_how_large_the_embedding_is() -> None:
    student, teacher, target, index = batch()
    moved = student._replace(pooled=3 * student.pooled + 1)
    loss = make_loss("rkd")
    torch.testing.assert_close(loss(moved, teacher, target, index), loss(student, teacher, target, index))


def test_equal_images_have_finite_gradients() -> None:
    student, teacher, target, index = batch()
    pooled = student.pooled.clone()
    pooled[1] = pooled[0]
    pooled.requires_grad_()
    loss = make_loss("rkd")(student._replace(pooled=pooled), teacher, target, index)
    assert torch.isfinite(gradient(loss, pooled)).all()
