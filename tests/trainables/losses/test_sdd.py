from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.trainables.losses.conftest import Reference, gradient
from trainables.losses import (
    LossError,
    check_scale_decoupled,
    complementary_regions,
    logit_loss,
    logit_loss_names,
    scale_decoupled,
)

KD = logit_loss("kd")


def _batch(regions: int = 5, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """32 images of 4 classes: enough for every kind of (dis)agreement between regions and global view."""
    draw = torch.Generator().manual_seed(3)
    student, teacher = 2 * torch.randn(2, 32, regions, 4, generator=draw, dtype=torch.float64)
    return student.to(dtype), teacher.to(dtype), torch.arange(32) % 4


@pytest.mark.parametrize("case", ["m12", "m124"])
@pytest.mark.parametrize(
    ("base", "name"), [("kd", "sdd_kd_T4_beta2_mean"), ("dkd", "sdd_dkd_a1_b8_T4_beta2_mean")]
)
def test_agrees_with_the_released_code(reference: Reference, case: str, base: str, name: str) -> None:
    student = reference.regions(f"{case}/student_regions").requires_grad_()
    teacher = reference.regions(f"{case}/teacher_regions")
    loss = scale_decoupled(logit_loss(base), student, teacher, reference.tensor(f"{case}/target"))
    assert loss.item() == pytest.approx(reference.value(f"{case}/{name}"), rel=1e-5)
    expected = reference.regions(f"{case}/{name}/grad")
    torch.testing.assert_close(gradient(loss, student), expected, rtol=1e-5, atol=1e-5)


def _logits(classes: list[int]) -> Tensor:
    return torch.nn.functional.one_hot(torch.tensor(classes), 3).double()


def test_which_regions_are_complementary() -> None:
    # Images: global view right; wrong. Regions after it: right, wrong (1), wrong (2).
    teacher = torch.stack([_logits([0, 0, 1, 2]), _logits([1, 0, 1, 2])])
    target = torch.tensor([0, 0])
    released = [[False, False, True, True], [False, True, False, False]]
    text = [[False, False, True, True], [False, True, False, True]]
    assert complementary_regions(teacher, target).tolist() == released
    assert complementary_regions(teacher, target, agreement="text").tolist() == text


def test_the_two_readings_differ_only_where_both_are_wrong_in_different_ways() -> None:
    _, teacher, target = _batch()
    classes = teacher.argmax(-1)
    both_wrong = (classes != target[:, None]) & (classes[:, :1] != target[:, None])
    differ = complementary_regions(teacher, target) ^ complementary_regions(teacher, target, agreement="text")
    assert torch.equal(differ, both_wrong & (classes != classes[:, :1]))
    assert differ.any()


@pytest.mark.parametrize("base", logit_loss_names())
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_one_scale_is_the_base_loss(base: str, reduction: str) -> None:
    student, teacher, target = _batch(regions=1)
    loss = scale_decoupled(
        logit_loss(base), student, teacher, target, complementary_weight=7.0, reduction=reduction
    )
    torch.testing.assert_close(loss, logit_loss(base)(student[:, 0], teacher[:, 0], target).mean())


def test_against_a_loop_over_images_and_regions() -> None:
    student, teacher, target = _batch()
    total = 0.0
    for b in range(32):
        for r in range(5):
            right = teacher[b, r].argmax() == target[b]
            weight = 0.5 if right == (teacher[b, 0].argmax() == target[b]) else 3.0
            total += weight * KD(student[b, r : r + 1], teacher[b, r : r + 1], target[b : b + 1]).item()
    weights: dict[str, Any] = {"consistent_weight": 0.5, "complementary_weight": 3.0}
    mean = scale_decoupled(KD, student, teacher, target, **weights)
    summed = scale_decoupled(KD, student, teacher, target, reduction="sum", **weights)
    assert mean.item() == pytest.approx(total / (32 * 5))
    assert summed.item() == pytest.approx(total / 32)


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 10), st.floats(0, 10), st.sampled_from(["released", "text"]))
def test_is_linear_in_both_weights(consistent: float, complementary: float, agreement: str) -> None:
    """So the rows of the paper's Table 6 are settings of the two weights."""
    batch = _batch()

    def loss(con: float, com: float) -> Tensor:
        return scale_decoupled(
            KD, *batch, consistent_weight=con, complementary_weight=com, agreement=agreement
        )

    assert loss(1, 0) > 0
    assert loss(0, 1) > 0
    assert loss(0, 0) == 0
    torch.testing.assert_close(
        loss(consistent, complementary), consistent * loss(1, 0) + complementary * loss(0, 1)
    )


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(1, 5)))
def test_the_order_of_regions_after_the_first_does_not_matter(order: list[int]) -> None:
    student, teacher, target = _batch()
    shuffled = [0, *order]
    torch.testing.assert_close(
        scale_decoupled(KD, student[:, shuffled], teacher[:, shuffled], target),
        scale_decoupled(KD, student, teacher, target),
    )


OTHER = {
    "consistent_weight": 0.0,
    "complementary_weight": 1.0,
    "reduction": "sum",
    "agreement": "text",
    "standardize": "region",
}


@pytest.mark.parametrize("option", check_scale_decoupled())
def test_every_option_changes_the_loss(option: str) -> None:
    batch = _batch()
    options: dict[str, Any] = {option: OTHER[option]}
    changed = scale_decoupled(KD, *batch, **options)
    assert (changed - scale_decoupled(KD, *batch)).abs() > 1e-3


def test_without_the_scale_one_the_global_view_is_given() -> None:
    student, teacher, target = _batch()
    cells, overall = teacher[:, 1:], teacher[:, 0]
    loss = scale_decoupled(KD, student[:, 1:], cells, target, reduction="sum", teacher_global=overall)
    whole = scale_decoupled(KD, student, teacher, target, reduction="sum")
    torch.testing.assert_close(loss + KD(student[:, 0], overall, target).mean(), whole)
    assert (scale_decoupled(KD, student[:, 1:], cells, target, reduction="sum") - loss).abs() > 1e-3


@pytest.mark.parametrize("base", logit_loss_names())
@pytest.mark.parametrize("standardize", ["no", "region", "whole"])
def test_gradient_against_finite_differences(base: str, standardize: str) -> None:
    student, teacher, target = (x[:4] for x in _batch())
    loss = logit_loss(base)
    assert torch.autograd.gradcheck(
        lambda s: scale_decoupled(loss, s, teacher, target, reduction="sum", standardize=standardize),
        student.requires_grad_(),
    )


def test_a_grouped_base_compares_images_at_one_place_only() -> None:
    student, teacher, target = _batch()
    base = logit_loss("dist")
    alone = torch.stack([base(student[:, r], teacher[:, r], target) for r in range(5)], dim=1)
    complementary = complementary_regions(teacher, target)
    expected = torch.where(complementary, 2 * alone, alone).mean()
    torch.testing.assert_close(scale_decoupled(base, student, teacher, target), expected)


def _standardised(x: Tensor, of: Tensor) -> Tensor:
    return (x - x.mean(-1, keepdim=True)) / (of.std(-1, keepdim=True) + 1e-7)


def test_standardised_regions_are_those_of_standardised_logits() -> None:
    student, teacher, target = _batch()
    complementary = complementary_regions(teacher, target)
    for standardize, spread in (("region", slice(None)), ("whole", slice(1))):
        z_s, z_t = (_standardised(x, x[:, spread]) for x in (student, teacher))
        losses = KD(z_s.flatten(0, 1), z_t.flatten(0, 1), target.repeat_interleave(5)).view(32, 5)
        expected = torch.where(complementary, 2 * losses, losses).mean()
        found = scale_decoupled(KD, student, teacher, target, standardize=standardize)
        torch.testing.assert_close(found, expected)


def test_the_whole_is_given_where_it_is_no_region() -> None:
    student, teacher, target = _batch()
    whole = {"student_global": student[:, 0], "teacher_global": teacher[:, 0]}
    options: dict[str, Any] = {"standardize": "whole", "reduction": "sum"}
    cells = scale_decoupled(KD, student[:, 1:], teacher[:, 1:], target, **whole, **options)
    first = scale_decoupled(KD, student[:, :1], teacher[:, :1], target, **options)
    torch.testing.assert_close(cells + first, scale_decoupled(KD, student, teacher, target, **options))


def test_by_the_whole_a_flat_region_stays_flatter() -> None:
    student, teacher, target = _batch(regions=2)
    teacher[:, 1] = 0.1 * teacher[:, 0]
    student[:, 1] = 0.0
    kind: dict[str, Any] = {"complementary_weight": 1.0, "reduction": "sum"}
    region, whole = (
        scale_decoupled(KD, student[:, 1:], teacher[:, 1:], target, standardize=how, **kind,
                        student_global=student[:, 0], teacher_global=teacher[:, 0])
        for how in ("region", "whole")
    )  # fmt: skip
    assert whole < 0.1 * region


def test_the_base_is_called_once_with_every_region() -> None:
    calls: list[tuple[int, ...]] = []

    def base(student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        calls.append(tuple(student.shape))
        return KD(student, teacher, target)

    scale_decoupled(base, *_batch())
    assert calls == [(32 * 5, 4)]


def test_bf16_logits_give_a_float32_loss() -> None:
    student, teacher, target = _batch(dtype=torch.bfloat16)
    loss = scale_decoupled(KD, student, teacher, target)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, scale_decoupled(KD, student.float(), teacher.float(), target))


@pytest.mark.parametrize("weights", [(1.0, 2.0), (0.0, 2.0), (1.0, 0.0), (0.0, 0.0)])
def test_nan_is_not_hidden(weights: tuple[float, float]) -> None:
    student, teacher, target = _batch()
    student[3, 2, 1] = math.nan
    loss = scale_decoupled(
        KD, student, teacher, target, consistent_weight=weights[0], complementary_weight=weights[1]
    )
    assert loss.isnan()


def test_wrong_arguments_are_named() -> None:
    student, teacher, target = _batch()
    with pytest.raises(LossError, match=r"\[B,R,K\]"):
        scale_decoupled(KD, student[:, 0], teacher[:, 0], target)
    with pytest.raises(LossError, match=r"teacher_global.*\[B,K\]"):
        scale_decoupled(KD, student, teacher, target, teacher_global=teacher)
    with pytest.raises(LossError, match=r"student_global.*\[B,K\]"):
        scale_decoupled(KD, student, teacher, target, student_global=student)
    with pytest.raises(LossError, match=r"scale_decoupled\.reduction: 'max'.*'mean', 'sum'"):
        scale_decoupled(KD, student, teacher, target, reduction="max")


@pytest.mark.parametrize("name", logit_loss_names())
def test_is_one_graph_for_the_compiler(name: str) -> None:
    batch = _batch(dtype=torch.float32)
    base = logit_loss(name)

    def loss(student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        return scale_decoupled(base, student, teacher, target, standardize="region")

    torch.compiler.reset()
    compiled = torch.compile(loss, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(*batch), loss(*batch))
