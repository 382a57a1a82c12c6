"""A trial computes on what it was given, in a precision that is there."""

from __future__ import annotations

import pytest
import torch

from tests.trainables.trials import CPU
from trainables.config import ConfigError, Training
from trainables.engine.device import best_device, check_device, oldest_built

GPU = torch.device("cuda")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.mark.usefixtures("gpu")
def test_a_trial_of_no_gpus_computes_on_the_cpu_though_one_is_visible() -> None:
    assert best_device(0) == best_device(0.0) == CPU
    assert best_device().type == best_device(0.25).type == best_device("measure").type == "cuda"


def test_without_a_gpu_there_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert best_device() == best_device(1) == CPU


@pytest.mark.parametrize("precision", ["bf16", "tf32"])
def test_a_gpu_without_units_for_a_precision_refuses_it(
    monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_80", "compute_120"])
    training = Training(precision=precision)  # type: ignore[arg-type]
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(ConfigError, match=r"training\.precision: Tesla T4 .*7\.5.*'float32'"):
        check_device(training, GPU)
    check_device(training, CPU)
    check_device(Training(precision="float32"), GPU)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    check_device(training, GPU)


@pytest.mark.parametrize(
    ("architectures", "oldest"),
    [
        (["sm_75", "sm_80", "sm_90a", "sm_100f", "compute_120"], (7, 5)),
        (["sm_90a"], (9, 0)),
        (["sm_120", "sm_100f", "sm_103a"], (10, 0)),
        (["compute_70", "sm_90"], (7, 0)),
        (["gfx90a", "gfx942"], None),
        ([], None),
    ],
)
def test_architectures_of_a_build_may_bear_letters(
    monkeypatch: pytest.MonkeyPatch, architectures: list[str], oldest: tuple[int, int] | None
) -> None:
    assert oldest_built(architectures) == oldest
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA B300")
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: architectures)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (10, 3))
    check_device(Training(precision="bf16"), GPU)


def test_a_gpu_that_torch_has_no_code_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla V100")
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_80", "compute_120"])
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 0))
    with pytest.raises(ConfigError, match=r"no code for Tesla V100 .*7\.0.*oldest is 7\.5"):
        check_device(Training(precision="float32"), GPU)
