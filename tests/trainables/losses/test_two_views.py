"""Losses of a weak and a strong view against plain implementations, plain, standardised and decoupled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.trainables.losses import formulas
from tests.trainables.losses.conftest import gradient
from trainables.losses import LossError, complementary_regions, logit_loss, scale_decoupled

CRLD = logit_loss("crld")


def views(images: int = 40, classes: int = 6, regions: int = 0, scale: float = 3.0) -> Any:
    """Logits of student and teacher for two views, of some of which a teacher is sure, and labels."""
    draw = torch.Generator().manual_seed(classes + regions)
    shape = (2, 2, images, *([regions] if regions else []), classes)
    student, teacher = scale * torch.randn(shape, generator=draw, dtype=torch.float64)
    return student, teacher, torch.arange(images) % classes


def softened(logits: list[float], temperature: float) -> list[float]:
    """Softmax of plain numbers."""
    top = max(logits)
    powers = [math.exp((x - top) / temperature) for x in logits]
    return [power / sum(powers) for power in powers]


def kl(teacher: list[float], student: list[float], temperature: float) -> float:
    p, q = softened(teacher, temperature), softened(student, temperature)
    return temperature**2 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def released_crld(
    student: Tensor,
    teacher: Tensor,
    plain: Tensor,
    *,
    temperature: float = 4.0,
    within_weight: float = 2.0,
    across_weight: float = 0.5,
    weak_confidence: float = 0.9,
    strong_confidence: float = 0.2,
) -> Tensor:
    """CRLD image by image, in Python's own numbers; ``plain`` are the teacher's logits as they are."""
    rows = []
    for n in range(student.shape[1]):
        s_weak, s_strong, t_weak, t_strong = (
            of[view, n].tolist() for of in (student, teacher) for view in (0, 1)
        )
        loss = 0.0
        if max(softened(plain[0, n].tolist(), 1.0)) >= weak_confidence:
            loss += within_weight * (kl(t_weak, s_weak, temperature) + kl(t_strong, s_strong, temperature))
        if max(softened(plain[1, n].tolist(), 1.0)) >= strong_confidence:
            loss += across_weight * (kl(t_weak, s_strong, temperature) + kl(t_strong, s_weak, temperature))
        rows.append(loss)
    return torch.tensor(rows, dtype=torch.float64)


OPTIONS: list[dict[str, float]] = [
    {},
    {"temperature": 2.0, "within_weight": 0.7, "across_weight": 1.3},
    {"weak_confidence": 0.5, "strong_confidence": 0.8},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_crld_is_the_released_formula(options: dict[str, float]) -> None:
    student, teacher, target = views()
    found = logit_loss("crld", **options)(student, teacher, target)
    torch.testing.assert_close(
        found, released_crld(student, teacher, teacher, **options), rtol=1e-10, atol=1e-12
    )
    sure = teacher[0].softmax(1).amax(1) >= options.get("weak_confidence", 0.9)
    assert 0 < sure.sum() < len(sure), "some images teach, some do not"


def test_views_are_not_exchanged_and_each_network_has_its_own() -> None:
    student, teacher, target = views()
    whole = CRLD(student, teacher, target)
    for changed in ((student.flip(0), teacher), (student, teacher.flip(0)), (teacher, student)):
        assert not torch.allclose(CRLD(*changed, target), whole)


def test_images_whose_views_are_alike_need_one() -> None:
    student, teacher, target = views()
    twice = CRLD(student[:1].expand(2, -1, -1), teacher[:1].expand(2, -1, -1), target)
    torch.testing.assert_close(CRLD(student[0], teacher[0], target), twice)
    torch.testing.assert_close(twice, formulas.losses("crld", student[0], teacher[0], target))


@pytest.mark.parametrize("standardize", ["no", "region", "whole"])
def test_over_one_scale_it_is_the_base(standardize: str) -> None:
    student, teacher, target = views()
    found = scale_decoupled(
        CRLD,
        student[:, :, None],
        teacher[:, :, None],
        target,
        standardize=standardize,
        complementary_weight=7.0,
    )
    z_s, z_t = ((x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-7) for x in (student, teacher))
    if standardize == "no":
        z_s, z_t = student, teacher
    expected = released_crld(z_s, z_t, teacher)
    assert expected.count_nonzero() > 0, "how sure the teacher is, is read off its logits as they are"
    torch.testing.assert_close(found, expected.mean(), rtol=1e-10, atol=0)


@pytest.mark.parametrize("standardize", ["no", "region", "whole"])
@pytest.mark.parametrize("agreement", ["released", "text"])
def test_decoupled_is_a_loop_over_images_and_regions(standardize: str, agreement: str) -> None:
    student, teacher, target = views(16, regions=5)
    options: dict[str, Any] = {"standardize": standardize, "agreement": agreement}
    found = scale_decoupled(CRLD, student, teacher, target, complementary_weight=3.0, **options)
    spread = slice(None) if standardize == "region" else slice(1)
    z_s, z_t = (
        (x - x.mean(-1, keepdim=True)) / (x[:, :, spread].std(-1, keepdim=True) + 1e-7)
        for x in (student, teacher)
    )
    if standardize == "no":
        z_s, z_t = student, teacher
    rows = torch.stack([released_crld(z_s[:, :, r], z_t[:, :, r], teacher[:, :, r]) for r in range(5)], dim=1)
    apart = complementary_regions(teacher[0], target, agreement=agreement)
    assert apart.any()
    torch.testing.assert_close(found, torch.where(apart, 3.0, 1.0).mul(rows).mean(), rtol=1e-10, atol=0)


def test_without_the_scale_one_the_global_views_are_given() -> None:
    student, teacher, target = views(16, regions=5)
    for standardize in ("no", "whole"):
        options: dict[str, Any] = {"reduction": "sum", "standardize": standardize}
        whole = {"student_global": student[:, :, 0], "teacher_global": teacher[:, :, 0]}
        cells = scale_decoupled(CRLD, student[:, :, 1:], teacher[:, :, 1:], target, **whole, **options)
        first = scale_decoupled(CRLD, student[:, :, :1], teacher[:, :, :1], target, **options)
        torch.testing.assert_close(cells + first, scale_decoupled(CRLD, student, teacher, target, **options))


@pytest.mark.parametrize("standardize", ["no", "region", "whole"])
def test_gradient_against_finite_differences(standardize: str) -> None:
    student, teacher, target = views(4, regions=5)
    assert torch.autograd.gradcheck(
        lambda s: scale_decoupled(CRLD, s, teacher, target, reduction="sum", standardize=standardize),
        student.requires_grad_(),
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("classes", [2, 20, 1000])
def test_extreme_logits_are_finite(classes: int, dtype: torch.dtype) -> None:
    student, teacher, target = views(6, classes)
    student, teacher = (x / x.abs().max() * 1e4 for x in (student, teacher))
    student[0, 0] = torch.linspace(-1e4, 1e4, classes)
    teacher[:, 0] = -student[0, 0]
    teacher[:, 1] = 0.0
    given = student.to(dtype).requires_grad_()
    loss = CRLD(given, teacher.to(dtype), target)
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert torch.isfinite(loss).all()
    assert loss[0] > 0
    assert torch.isfinite(gradient(loss.sum(), given)).all()


def test_no_gradient_reaches_the_teacher_and_equal_answers_cost_nothing() -> None:
    student, teacher, target = views()
    teacher = teacher.requires_grad_()
    assert torch.autograd.grad(
        CRLD(student.requires_grad_(), teacher, target).sum(), teacher, allow_unused=True
    ) == (None,)
    alike = teacher.detach()[:1].expand(2, -1, -1)
    assert CRLD(alike, alike, target).abs().max() < 1e-12


def test_wrong_shapes_are_named() -> None:
    student, teacher, target = views()
    with pytest.raises(LossError, match=r"crld: student \(3, 40, 6\).*\[2,N,K\] and target \(40,\) \[N\]"):
        CRLD(student[[0, 0, 1]], teacher[[0, 0, 1]], target)
    kd = logit_loss("kd")
    with pytest.raises(LossError, match=r"\[B,R,K\]"):
        scale_decoupled(kd, student[:, :, None], teacher[:, :, None], target)


def released_mlkd(
    student: Any, teacher: Any, plain: Any, *, temperature: float = 4.0, weak_again: bool = True
) -> float:
    """MLKD of a batch as its code adds it up, in numpy; ``plain`` are both networks' logits as they are."""
    (s_weak, s_strong), (t_weak, t_strong) = student.numpy(), teacher.numpy()
    of_student, of_teacher = plain[0][0].numpy(), plain[1][0].numpy()

    def softmax(logits: Any, degrees: float = 1.0) -> Any:
        powers = np.exp((logits - logits.max(1, keepdims=True)) / degrees)
        return powers / powers.sum(1, keepdims=True)

    def kd(one: Any, other: Any, degrees: float) -> Any:
        p, q = softmax(other, degrees), softmax(one, degrees)
        return degrees**2 * (p * np.log(p / q)).sum(1)

    sure = softmax(of_teacher)
    images = sure.max(1) <= np.percentile(sure.max(1), 50)
    classes = sure.sum(0) <= np.percentile(sure.sum(0), 50)
    batch, count = of_teacher.shape
    total = 0.0
    for degrees, strong in ((temperature, True), (3.0, True), (5.0, True), (2.0, False), (6.0, False)):
        p, q = softmax(of_teacher, degrees), softmax(of_student, degrees)
        between_images, between_classes = (p @ p.T - q @ q.T) ** 2, (p.T @ p - q.T @ q) ** 2
        if weak_again:
            total += (kd(s_weak, t_weak, degrees).mean() * images).mean()
            total += kd(*((s_strong, t_strong) if strong else (s_weak, t_weak)), degrees).mean()
            total += (between_images.sum() / batch * images).mean()
            total += (between_classes.sum() / count * classes).mean()
        else:
            total += (kd(s_weak, t_weak, degrees) * images).mean() + kd(s_strong, t_strong, degrees).mean()
            total += (between_images.sum(1) * images).mean() + (between_classes.sum(1) * classes).mean()
    return float(total)


@pytest.mark.parametrize("temperature", [4.0, 2.0])
@pytest.mark.parametrize("as_released", [True, False])
@pytest.mark.parametrize("images", [16, 9])
def test_mlkd_is_the_released_formula(images: int, as_released: bool, temperature: float) -> None:
    student, teacher, target = views(images)
    loss = logit_loss("mlkd", temperature=temperature, as_released=as_released)(student, teacher, target)
    expected = released_mlkd(
        student, teacher, (student, teacher), temperature=temperature, weak_again=as_released
    )
    assert loss.shape == target.shape
    assert loss.mean().item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("standardize", ["no", "region"])
def test_decoupled_mlkd_compares_images_at_one_place_only(standardize: str) -> None:
    student, teacher, target = views(12, regions=5)
    z_s, z_t = student, teacher
    if standardize == "region":
        z_s, z_t = ((x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-7) for x in (z_s, z_t))
    options: dict[str, Any] = {"complementary_weight": 1.0, "standardize": standardize}
    found = scale_decoupled(logit_loss("mlkd"), student, teacher, target, **options)
    expected = [
        released_mlkd(z_s[:, :, r], z_t[:, :, r], (student[:, :, r], teacher[:, :, r])) for r in range(5)
    ]
    assert found.item() == pytest.approx(sum(expected) / 5, rel=1e-10)


@pytest.mark.parametrize("as_released", [True, False])
def test_mlkd_has_the_gradient_of_finite_differences(as_released: bool) -> None:
    student, teacher, target = views(5, regions=3)
    base = logit_loss("mlkd", as_released=as_released)
    assert torch.autograd.gradcheck(
        lambda s: scale_decoupled(base, s, teacher, target, reduction="sum", standardize="region"),
        student.requires_grad_(),
    )
