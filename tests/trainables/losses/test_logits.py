"""What holds for every logit loss, whoever wrote it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainables.losses.conftest import gradient
from trainables.losses import LossError, check_logit_loss, logit_loss, logit_loss_names, register_logit_loss
from trainables.losses.registry import logit_loss_spec

KNOBS = [(name, option) for name in logit_loss_names() for option in check_logit_loss(name)]
ROW_BY_ROW = [name for name in logit_loss_names() if logit_loss_spec(name).per_sample]


def _batch(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(7)
    student, teacher = 3 * torch.randn(2, 6, 12, generator=draw, dtype=torch.float64)
    return student.to(dtype), teacher.to(dtype), torch.tensor([0, 1, 2, 3, 4, 0])


def other_value(default: Any) -> Any:
    """A value of the same kind that is not the default."""
    if isinstance(default, bool):
        return not default
    return default + 1


@pytest.mark.parametrize(("name", "option"), KNOBS)
def test_every_option_changes_the_loss(name: str, option: str) -> None:
    student, teacher, target = _batch()
    default = check_logit_loss(name)[option]
    changed = logit_loss(name, **{option: other_value(default)})(student, teacher, target)
    assert (changed - logit_loss(name)(student, teacher, target)).abs().max() > 1e-3


@pytest.mark.parametrize("name", logit_loss_names())
@pytest.mark.parametrize("variant", [False, True])
def test_gradient_against_finite_differences(name: str, variant: bool) -> None:
    options = {o: other_value(v) for o, v in check_logit_loss(name).items()} if variant else {}
    loss = logit_loss(name, **options)
    student, teacher, target = _batch()
    assert torch.autograd.gradcheck(lambda s: loss(s, teacher, target), student.requires_grad_())


@pytest.mark.parametrize("name", logit_loss_names())
def test_bf16_logits_are_computed_in_float32(name: str) -> None:
    student, teacher, target = _batch(torch.bfloat16)
    loss = logit_loss(name)(student.requires_grad_(), teacher, target)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, logit_loss(name)(student.float(), teacher.float(), target))
    assert gradient(loss.sum(), student).dtype == torch.bfloat16


@pytest.mark.parametrize("name", logit_loss_names())
def test_no_gradient_reaches_the_teacher(name: str) -> None:
    student, teacher, target = _batch()
    loss = logit_loss(name)(student.requires_grad_(), teacher.requires_grad_(), target).sum()
    student_grad, teacher_grad = torch.autograd.grad(loss, [student, teacher], allow_unused=True)
    assert student_grad.abs().max() > 0
    assert teacher_grad is None


@pytest.mark.parametrize("name", logit_loss_names())
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("side", ["student", "teacher"])
def test_what_is_not_finite_shows(name: str, bad: float, side: str) -> None:
    student, teacher, target = _batch()
    (student if side == "student" else teacher)[2, 0] = bad
    loss = logit_loss(name)(student, teacher, target)
    assert not torch.isfinite(loss[2])
    if name in ROW_BY_ROW:
        assert torch.isfinite(loss[[0, 1, 3, 4, 5]]).all()


@pytest.mark.parametrize("name", ROW_BY_ROW)
def test_each_sample_has_its_own_loss(name: str) -> None:
    student, teacher, target = _batch()
    loss = logit_loss(name)
    alone = torch.cat([loss(student[[i]], teacher[[i]], target[[i]]) for i in range(6)])
    torch.testing.assert_close(loss(student, teacher, target), alone)


@pytest.mark.parametrize("name", logit_loss_names())
def test_the_table_says_what_the_functions_take(name: str) -> None:
    loss = logit_loss(name)
    assert loss._function.__kwdefaults__ == {o: v.default for o, v in logit_loss_spec(name).options.items()}


def test_wrong_shapes_are_named() -> None:
    student, teacher, target = _batch()
    with pytest.raises(LossError, match=r"teacher \(6, 4\).*\[N,K\]"):
        logit_loss("kd")(student, teacher[:, :4], target)
    with pytest.raises(LossError, match=r"target \(5,\)"):
        logit_loss("kd")(student, teacher, target[:5])


def test_a_users_own_loss_with_its_options() -> None:
    @register_logit_loss("scaled_gap")
    def scaled_gap(student: Tensor, teacher: Tensor, target: Tensor, *, temperature: float = 2.0) -> Tensor:
        return ((student - teacher) / temperature).square().mean(dim=1)

    student, teacher, target = _batch(torch.bfloat16)
    loss = logit_loss("scaled_gap", temperature=3.0)(student, teacher, target)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, (student.float() - teacher.float()).square().mean(1) / 9)
    assert repr(logit_loss("scaled_gap")) == "logit_loss('scaled_gap', temperature=2.0)"


def test_a_loss_that_is_not_one_number_a_sample_is_refused() -> None:
    @register_logit_loss("forgot_to_sum")
    def forgot_to_sum(student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        return student - teacher

    with pytest.raises(LossError, match=r"forgot_to_sum.*\(6,\).*\(6, 12\)"):
        logit_loss("forgot_to_sum")(*_batch())


def test_a_grouped_loss_sees_one_group_at_a_time() -> None:
    student, teacher, target = _batch()
    groups = [x.view(2, 3, *x.shape[1:]) for x in (student, teacher, target)]
    loss = logit_loss("dist")
    assert loss.grouped
    apart = torch.cat([loss(student[part], teacher[part], target[part]) for part in (slice(3), slice(3, 6))])
    torch.testing.assert_close(loss(*groups).flatten(), apart)
    assert (loss(student, teacher, target) - apart).abs().min() > 1e-3


def test_a_users_own_grouped_loss() -> None:
    @register_logit_loss("similar_images", grouped=True)
    def similar_images(student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        assert target.shape == student.shape[:2]
        gap = student @ student.transpose(1, 2) - teacher @ teacher.transpose(1, 2)
        return gap.square().mean(dim=2)

    student, teacher, target = _batch()
    expected = (student @ student.T - teacher @ teacher.T).square().mean(1)
    torch.testing.assert_close(logit_loss("similar_images")(student, teacher, target), expected)
    with pytest.raises(LossError, match=r"\(2, 6, 12\).*\[G,B,K\].*\[G,B\]"):
        logit_loss("similar_images")(student.expand(2, 6, 12), teacher.expand(2, 6, 12), target)


def test_a_loss_without_groups_takes_none() -> None:
    student, teacher, target = (x.unsqueeze(0) for x in _batch())
    with pytest.raises(LossError, match=r"\(1, 6, 12\).*\[N,K\]"):
        logit_loss("kd")(student, teacher, target)
