from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.trainables.losses.pairs import NUM_SAMPLES, batch, make_loss
from trainables.losses import LossError, check_feature_loss
from trainables.losses.crd import ContrastiveDistillation


def _crd(**options: object) -> ContrastiveDistillation:
    loss = make_loss("crd", **options)
    assert isinstance(loss, ContrastiveDistillation)
    return loss


def _slow(loss: ContrastiveDistillation) -> float:
    """The loss of batch 0, sample by sample and negative by negative, from the state before the step."""
    student, teacher, target, index = batch()
    drawn = loss._draw(index)
    total = 0.0
    sides: list[tuple[Tensor, Tensor]] = [
        (F.normalize(loss.embed_student(student.pooled)), loss.bank_teacher),
        (F.normalize(loss.embed_teacher(teacher.pooled)), loss.bank_student),
    ]
    for direction, (anchors, bank) in enumerate(sides):
        weights: list[list[float]] = []
        for b in range(len(index)):
            negatives = [j for j in drawn[b].tolist() if loss.labels[j] != target[b]]
            chosen = [int(index[b]), *negatives]
            weights.append(
                [math.exp(float(anchors[b].detach() @ bank[j]) / loss.temperature) for j in chosen]
            )
        stored = float(loss.normaliser[direction])
        flat = [w for row in weights for w in row]
        z = stored if stored > 0 else NUM_SAMPLES * sum(flat) / len(flat)
        for row in weights:
            noise = (len(row) - 1) / NUM_SAMPLES
            total -= math.log(row[0] / z / (row[0] / z + noise)) / len(index)
            total -= sum(math.log(noise / (w / z + noise)) for w in row[1:]) / len(index)
    return total


@pytest.mark.parametrize("steps_before", [0, 3])
def test_against_loops_over_samples_and_negatives(steps_before: int) -> None:
    loss = _crd()
    for step in range(steps_before):
        loss(*batch(step))
    expected = _slow(loss)
    assert loss(*batch()).item() == pytest.approx(expected, rel=1e-5)


def test_negatives_are_drawn_evenly_from_the_other_images() -> None:
    loss = _crd(negatives=39)
    index = torch.arange(NUM_SAMPLES)
    counts = torch.zeros(NUM_SAMPLES, NUM_SAMPLES)
    for step in range(100):
        loss._draws = step
        drawn = loss._draw(index)
        counts += F.one_hot(drawn, NUM_SAMPLES).sum(1)
    assert counts.diagonal().sum() == 0
    others = counts[~torch.eye(NUM_SAMPLES, dtype=torch.bool)]
    assert others.mean() == 100
    # Poisson-like: standard deviation 10 around 100; six of them is beyond any of 1560 draws.
    assert others.min() > 40
    assert others.max() < 160


def test_negatives_change_from_step_to_step_but_not_with_the_global_generator() -> None:
    loss, again = _crd(), _crd()
    index = batch()[3]
    first = loss._draw(index)
    torch.manual_seed(5)
    assert torch.equal(again._draw(index), first)
    loss(*batch())
    assert not torch.equal(loss._draw(index), first)


def test_images_known_to_share_the_label_are_no_negatives() -> None:
    loss = _crd()
    loss.eval()
    _, _, target, _ = batch()
    loss.labels.fill_(3)
    everyone_but_3 = _without(loss, target != 3)
    loss.labels.fill_(-1)
    unknown = _without(loss, target != 3)
    assert everyone_but_3 == pytest.approx(unknown)
    # All drawn images share label 3: nothing is left to reject, so only the positives count.
    assert (target == 3).any()
    assert _without(loss, target == 3) > 1
    loss.labels.fill_(3)
    assert _without(loss, target == 3) < 0.01


def _without(loss: ContrastiveDistillation, keep: Tensor) -> float:
    student, teacher, target, index = batch()
    loss.normaliser.fill_(1.0)
    part = (student._replace(pooled=student.pooled[keep]), teacher._replace(pooled=teacher.pooled[keep]))
    return float(loss(*part, target[keep], index[keep]).detach())


def test_a_step_stores_what_it_saw() -> None:
    loss = _crd(momentum=0.25)
    student, _, target, index = batch()
    before = loss.bank_student.clone()
    loss(*batch())
    moved = 0.25 * before[index] + 0.75 * F.normalize(loss.embed_student(student.pooled))
    torch.testing.assert_close(loss.bank_student[index], F.normalize(moved))
    rest = torch.ones(NUM_SAMPLES, dtype=torch.bool)
    rest[index] = False
    assert torch.equal(loss.bank_student[rest], before[rest])
    assert torch.equal(loss.labels[index], target)
    assert (loss.labels[rest] == -1).all()
    z = loss.normaliser.clone()
    assert (z > 0).all()
    loss(*batch(1))
    assert torch.equal(loss.normaliser, z)


def test_evaluation_changes_nothing() -> None:
    loss = _crd().eval()
    before = {name: value.clone() for name, value in loss.state_dict().items()}
    assert loss(*batch()) == loss(*batch())
    after = loss.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_training_it_brings_paired_embeddings_together() -> None:
    loss = _crd(dim=8, negatives=30)
    student, teacher, target, index = batch()
    optimiser = torch.optim.SGD(loss.parameters(), lr=0.1)

    def agreement() -> float:
        s, t = (
            F.normalize(loss.embed_student(student.pooled)),
            F.normalize(loss.embed_teacher(teacher.pooled)),
        )
        return (s * t).sum(1).mean().item()

    before = agreement()
    for _ in range(100):
        optimiser.zero_grad()
        loss(student, teacher, target, index).backward()
        optimiser.step()
    assert before < 0.5
    assert agreement() > 0.7


def test_a_small_train_set_is_refused_with_what_would_do() -> None:
    with pytest.raises(LossError, match=r"crd\.negatives: 16384 .* has 1000; set negatives to at most 999"):
        check_feature_loss("crd", {}, num_samples=1000)
    assert check_feature_loss("crd", {"negatives": 999}, num_samples=1000)["negatives"] == 999
