"""What holds for every feature loss."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainables.losses.pairs import (
    BATCH,
    NUM_SAMPLES,
    SMALL,
    STUDENT,
    TEACHER,
    batch,
    make_features,
    make_loss,
)
from trainables.losses import (
    FeatureLoss,
    Features,
    FeatureShapes,
    LossError,
    check_feature_loss,
    feature_loss,
    feature_loss_names,
    feature_loss_spec,
)

NAMES = feature_loss_names()
KNOBS = [(name, option) for name in NAMES for option in check_feature_loss(name)]
OTHER: dict[str, Any] = {
    "fitnet.layer": 1,
    "sp_multiscale.scales": (1, 2),
    "sp_multiscale.reduction": "sum",
    "crd.momentum": 0.9,
    "reviewkd.max_channels": 3,
}


def _other_value(name: str, option: str) -> Any:
    default = SMALL.get(name, {}).get(option, check_feature_loss(name)[option])
    if f"{name}.{option}" in OTHER:
        return OTHER[f"{name}.{option}"]
    return not default if isinstance(default, bool) else default + 1  # type: ignore[operator]


def _train(loss: torch.nn.Module, steps: int) -> list[float]:
    """Losses of some training steps over changing batches, the loss's own layers trained along."""
    parameters = list(loss.parameters())
    optimiser = torch.optim.SGD(parameters, lr=0.01) if parameters else None
    values = []
    for step in range(steps):
        value = loss(*batch(step % 3))
        values.append(value.item())
        if optimiser is not None:
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
    return values


def _fixed(name: str) -> FeatureLoss:
    """The loss as the same function at every call: CRD with Z set and without storing what it sees."""
    loss = make_loss(name)
    if name == "crd":
        loss(*batch(1))
        loss.eval()
    return loss


def _leaves(student: Features) -> list[Tensor]:
    return [x.clone().requires_grad_() for x in student.preactivations]


def _from_leaves(leaves: tuple[Tensor, ...]) -> Features:
    maps = tuple(x.relu() for x in leaves)
    return Features(maps, tuple(leaves), maps[-1].mean(dim=(2, 3)))


@pytest.mark.parametrize("name", NAMES)
def test_gradient_against_finite_differences(name: str) -> None:
    loss = _fixed(name)
    student, teacher, target, index = batch()
    kept = sum(x.numel() for x in student.preactivations)
    assert kept == BATCH * sum(c * h * w for c, h, w in STUDENT.maps)
    assert torch.autograd.gradcheck(
        lambda *leaves: loss(_from_leaves(leaves), teacher, target, index), _leaves(student), fast_mode=True
    )


@pytest.mark.parametrize("name", [name for name in NAMES if list(make_loss(name).parameters())])
def test_gradient_of_its_own_layers_against_finite_differences(name: str) -> None:
    loss = _fixed(name)
    names, values = zip(*loss.named_parameters(), strict=True)

    def of_parameters(*parameters: Tensor) -> Tensor:
        return torch.func.functional_call(loss, dict(zip(names, parameters, strict=True)), batch())  # type: ignore[no-any-return]

    assert torch.autograd.gradcheck(
        of_parameters, [v.detach().clone().requires_grad_() for v in values], fast_mode=True
    )


@pytest.mark.parametrize(("name", "option"), KNOBS)
def test_every_option_changes_the_loss(name: str, option: str) -> None:
    default = _train(make_loss(name), 4)
    changed = _train(make_loss(name, **{option: _other_value(name, option)}), 4)
    assert max(abs(a - b) / abs(a) for a, b in zip(default, changed, strict=True)) > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_no_gradient_reaches_the_teacher(name: str) -> None:
    student, teacher, target, index = batch()
    s_leaves, t_leaves = _leaves(student), _leaves(teacher)
    value = make_loss(name)(_from_leaves(tuple(s_leaves)), _from_leaves(tuple(t_leaves)), target, index)
    grads = torch.autograd.grad(value, [*s_leaves, *t_leaves], allow_unused=True)
    assert any(g is not None and g.abs().max() > 0 for g in grads[: len(s_leaves)])
    assert all(g is None for g in grads[len(s_leaves) :])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("autocast", [False, True])
def test_bf16_features_give_a_float32_loss(name: str, autocast: bool) -> None:
    student, teacher, target, index = batch(dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        value = make_loss(name).float()(student, teacher, target, index)
    assert value.dtype == torch.float32
    exact = make_loss(name)(*(_in_float64(x) for x in (student, teacher)), target, index)
    trained_layers = name in ("fitnet", "crd", "reviewkd")
    assert value.item() == pytest.approx(exact.item(), rel=0.05 if trained_layers and autocast else 1e-4)


def _in_float64(features: Features) -> Features:
    maps = tuple(x.double() for x in features.maps)
    return Features(maps, tuple(x.double() for x in features.preactivations), features.pooled.double())


@pytest.mark.parametrize("name", NAMES)
def test_nan_is_not_hidden(name: str) -> None:
    student, teacher, target, index = batch()
    for maps in student.preactivations:
        maps[2, 0] = torch.nan
    assert make_loss(name)(_from_leaves(student.preactivations), teacher, target, index).isnan()


@pytest.mark.parametrize("name", ["at", "sp", "sp_multiscale", "rkd", "pkt"])
def test_a_student_that_has_the_teachers_features_has_no_loss(name: str) -> None:
    teacher = make_features(TEACHER, 5)
    loss = feature_loss(name, TEACHER, TEACHER, NUM_SAMPLES)
    _, _, target, index = batch()
    assert loss(teacher, teacher, target, index).item() == pytest.approx(0, abs=1e-12)
    other = make_features(TEACHER, 6)
    assert loss(other, teacher, target, index) > 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_trial_goes_on_with_the_same_numbers(name: str) -> None:
    straight = make_loss(name)
    expected = _train(straight, 5)
    stopped = make_loss(name)
    assert _train(stopped, 2) == expected[:2]
    file = io.BytesIO()
    torch.save(stopped.state_dict(), file)
    file.seek(0)
    torch.manual_seed(99)  # the new process starts from other random numbers
    resumed = feature_loss(name, STUDENT, TEACHER, NUM_SAMPLES, **SMALL.get(name, {})).double()
    resumed.load_state_dict(torch.load(file, weights_only=True))
    optimiser = torch.optim.SGD(resumed.parameters(), lr=0.01) if list(resumed.parameters()) else None
    for step in (2, 3, 4):
        value = resumed(*batch(step % 3))
        assert value.item() == expected[step]
        if optimiser is not None:
            optimiser.zero_grad()
            value.backward()
            optimiser.step()


def test_features_of_a_forward_pass() -> None:
    class Stages:
        maps = (torch.rand(2, 3, 4, 4), torch.rand(2, 5, 2, 2))
        preactivations = (torch.randn(2, 3, 4, 4), torch.randn(2, 5, 2, 2))
        closing: Tensor | None = None

    features = Features.from_stages(Stages())
    torch.testing.assert_close(features.pooled, Stages.maps[1].mean((2, 3)))
    shapes = FeatureShapes.of(features)
    assert shapes == FeatureShapes(((3, 4, 4), (5, 2, 2)))
    assert shapes.pooled == 5


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("fitnett", {}, r"feature loss 'fitnett' is unknown; known: at, crd, fitnet.*did you mean 'fitnet'"),
        ("fitnet", {"layer": -1}, r"fitnet\.layer: -1.*an integer, at least 0"),
        ("fitnet", {"layer": 4}, r"fitnet\.layer: needs 5 maps.*student gives 4"),
        ("at", {"power": 0.5}, r"at\.power: 0\.5.*at least 1"),
        ("sp", {"scales": (1, 2)}, r"sp: option 'scales' is unknown; known: none"),
        ("sp_multiscale", {"scales": ()}, r"sp_multiscale\.scales: \(\)"),
        ("sp_multiscale", {"scales": (2, 2)}, r"none twice"),
        ("crd", {"momentum": 1.5}, r"crd\.momentum: 1\.5.*at most 1"),
        ("crd", {}, r"crd\.negatives: 16384 negatives.*this one has 40; set negatives to at most 39"),
        ("reviewkd", {"max_channels": 0}, r"reviewkd\.max_channels: 0"),
    ],
)
def test_what_cannot_be_used_is_named(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(LossError, match=message):
        feature_loss(name, STUDENT, TEACHER, NUM_SAMPLES, **options)


def test_published_weights() -> None:
    weights = {name: feature_loss_spec(name).default_weight for name in NAMES}
    assert weights == {
        "fitnet": 100.0,
        "at": 1000.0,
        "sp": 3000.0,
        "sp_multiscale": 3000.0,
        "rkd": 1.0,  # 25 and 50 are options
        "pkt": 30000.0,
        "crd": 0.8,
        "reviewkd": 5.0,
    }
    assert check_feature_loss("rkd") == {"distance_weight": 25.0, "angle_weight": 50.0, "squared": False}
