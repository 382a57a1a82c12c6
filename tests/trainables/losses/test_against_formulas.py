"""Every built-in logit loss against what the released codes gave, and, at the edges, its paper's formula."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.trainables.losses import formulas
from tests.trainables.losses.conftest import gradient
from trainables.losses import logit_loss, scale_decoupled
from trainables.losses.catalog import BUILT_IN_LOGIT_LOSSES

RELEASED: dict[str, tuple[str, dict[str, Any]]] = {
    "lskd T=2": ("kd", {"temperature": 2.0, "standardize": "region"}),
    "dkd T=4 a1 b8": ("dkd", {}),
    "lskd-dkd T=2 a9 b72": (
        "dkd",
        {"alpha": 9.0, "beta": 72.0, "temperature": 2.0, "standardize": "region"},
    ),
    "rld T=4 Ta=1": ("rld", {}),
    "rld same-t T=4": ("rld", {"top_temperature": 4.0}),
    "ttm l=.1": ("ttm", {"gamma": 0.1}),
    "wttm l=.1": ("wttm", {"gamma": 0.1}),
    "normkd T=2": ("normkd", {}),
    "gdkd k=5 1,1,8 T=4": ("gdkd", {}),
    "gdkd3 k=4": ("gdkd3", {}),
    "ldrld a10.5 b7 k7 T4": ("ldrld", {}),
    "ab a.8 b.3 T4 (no T^2)": ("abkd", {}),
    "ofa eps1.5 T1": ("ofa", {}),
    "dist b2 g2 T4 (batch)": ("dist", {}),
    "swap T=4": ("swap", {}),
}
"""Names in tests/data/newer_losses.npz: 64 images, 100 classes; gradients of the first 16, DIST has all."""

NAMES = sorted(BUILT_IN_LOGIT_LOSSES)


@pytest.fixture(scope="module")
def released() -> dict[str, Any]:
    with np.load(Path(__file__).parents[2] / "data" / "newer_losses.npz") as stored:
        return dict(stored)


@pytest.mark.parametrize("case", RELEASED)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-6)], ids=["float64", "float32"]
)
def test_agrees_with_the_released_code(
    released: dict[str, Any], case: str, dtype: torch.dtype, tolerance: float
) -> None:
    name, options = RELEASED[case]
    standardize = options.pop("standardize", "no") if "standardize" in (options := dict(options)) else "no"
    student, teacher = (torch.from_numpy(released[side]).to(dtype) for side in ("student", "teacher"))
    target = torch.from_numpy(released["target"])
    student = student.requires_grad_()
    loss = scale_decoupled(
        logit_loss(name, **options), student[:, None], teacher[:, None], target, standardize=standardize
    )
    assert loss.item() == pytest.approx(float(released[f"loss/{case}"]), rel=tolerance)
    expected = released[f"grad/{case}"]
    found = gradient(loss, student)[: len(expected)].numpy()
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()
    if f"rows/{case}" in released and standardize == "no":
        rows = logit_loss(name, **options)(student, teacher, target).detach().numpy()
        np.testing.assert_allclose(rows, released[f"rows/{case}"], rtol=10 * tolerance)


def test_every_newer_loss_has_its_released_values() -> None:
    assert {name for name, _ in RELEASED.values()} == set(NAMES) - {
        "nkd",
        "crld",
        "mlkd",
    }  # test_two_views.py


def _drawn(classes: int, scale: float = 3.0, images: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(classes)
    student, teacher = scale * torch.randn(2, images, classes, generator=draw, dtype=torch.float64)
    return student, teacher, torch.randint(classes, (images,), generator=draw)


def _lowest(classes: int) -> tuple[Tensor, Tensor, Tensor]:
    student, teacher, _ = _drawn(classes)
    return student, teacher, teacher.argmin(dim=1)


def _extreme(classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Logits up to 1e4 on either side, the two sides at odds, or of one mind; no two alike, so ranks are."""
    student, teacher, target = _drawn(classes)
    student, teacher = (x / x.abs().max() * 1e4 for x in (student, teacher))
    student[0] = torch.linspace(-1e4, 1e4, classes)
    teacher[0] = -student[0]
    student[1] = teacher[1]
    return student, teacher, target


def _size(name: str, teacher: Tensor) -> float:
    """What the parts of a loss are of the order of, roundings of which stay where these cancel."""
    return max(1000.0, float((2 * teacher.std(dim=1)).square().max()) if name == "normkd" else 0.0)


EDGES = {
    "2 classes": _drawn(2),
    "1,000 classes": _drawn(1000),
    "label ranked lowest": _lowest(20),
    "label ranked lowest of 2": _lowest(2),
    "logits of 1e4": _extreme(20),
    "logits of 1e4, 2 classes": _extreme(2),
}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("name", NAMES)
def test_is_its_formula_at_the_edges(name: str, edge: str) -> None:
    student, teacher, target = EDGES[edge]
    expected = formulas.losses(name, student.clone(), teacher.clone(), target)
    assert torch.isfinite(expected).all()
    found = logit_loss(name)(student, teacher, target)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-14 * _size(name, teacher))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("name", NAMES)
def test_lower_precision_is_finite_and_near(name: str, edge: str, dtype: torch.dtype) -> None:
    student, teacher, target = (x.to(dtype) if x.is_floating_point() else x for x in EDGES[edge])
    exact = student.double().requires_grad_()
    expected = logit_loss(name)(exact, teacher.double(), target)
    given = student.detach().requires_grad_()
    loss = logit_loss(name)(given, teacher, target)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected.float(), rtol=2e-5, atol=2e-7 * _size(name, teacher.double()))
    found, right = gradient(loss.sum(), given), gradient(expected.sum(), exact)
    assert found.dtype == dtype
    tolerance = {torch.float32: 1e-3, torch.bfloat16: 2e-2}[dtype]
    near = tolerance * max(1.0, 1e-3 * _size(name, teacher.double()) ** 0.5)
    torch.testing.assert_close(found.double(), right, rtol=tolerance, atol=near)


@pytest.mark.parametrize("which", ["student", "teacher", "both"])
@pytest.mark.parametrize("level", [0.0, 0.1, -1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_equal_logits_say_nothing_and_break_nothing(
    name: str, dtype: torch.dtype, level: float, which: str
) -> None:
    student, teacher, target = _drawn(20)
    for side, logits in (("student", student), ("teacher", teacher)):
        if which in (side, "both"):
            logits.fill_(level)
    given = student.to(dtype, copy=True).requires_grad_()
    loss = logit_loss(name)(given, teacher.to(dtype), target)
    sets_by_rank = {"gdkd": "teacher", "gdkd3": "teacher", "ldrld": "student"}
    if which not in ("both", sets_by_rank.get(name)):  # which classes are first is anyone's choice
        flat = student if which == "student" else teacher
        flat.fill_(0.0)
        expected = formulas.losses(name, student, teacher, target)
        torch.testing.assert_close(loss, expected.to(dtype), rtol=1e-4, atol=1e-4)
    if which == "both" and name not in ("nkd", "ofa", "dist", "rld"):
        torch.testing.assert_close(loss, torch.zeros_like(loss), atol=1e-6, rtol=0)
    found = gradient(loss.sum(), given)
    assert torch.isfinite(found).all()
    assert found.abs().max() < 1e4 or name == "dist"  # whose formula divides by lengths, plus 1e-8


@pytest.mark.parametrize("name", NAMES)
def test_equal_predictions_cost_nothing_where_it_is_a_distance(name: str) -> None:
    _, teacher, target = _drawn(20)
    loss = logit_loss(name)(teacher, teacher, target)
    right = teacher.argmax(dim=1) == target
    if name in ("nkd", "ofa", "ttm", "wttm"):  # cross entropies; a student at another temperature
        assert (loss > 0.01).all()
    elif name in ("rld", "swap"):  # a wrong teacher is corrected
        assert ((loss < 1e-9) == right).all()
    elif name != "dist":  # which takes classes nobody predicts for unrelated
        assert loss.abs().max() < 1e-6
