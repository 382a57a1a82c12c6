from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from trainables.models import ModelError, build
from trainables.models.weights import load_into, load_published, state_sha256


@pytest.fixture
def teacher() -> nn.Module:
    return build("resnet8", 10)


def wrapped(state: dict[str, Any]) -> list[dict[str, Any]]:
    parallel = {f"module.{key}": value for key, value in state.items()}
    return [state, {"model": state, "epoch": 240}, {"state_dict": parallel}, {"model": parallel}, parallel]


@pytest.mark.parametrize("form", range(5))
@pytest.mark.parametrize("zipped", [True, False])
def test_published_files_load_strictly(tmp_path: Path, teacher: nn.Module, form: int, zipped: bool) -> None:
    path = tmp_path / "ckpt_epoch_240.pth"
    torch.save(wrapped(teacher.state_dict())[form], path, _use_new_zipfile_serialization=zipped)
    student = build("resnet8", 10)
    state = load_published(path)
    student.load_state_dict(state, strict=True)
    load_into(student, state)
    assert state_sha256(student.state_dict()) == state_sha256(teacher.state_dict())


@pytest.mark.parametrize("numpy_module", [b"numpy._core", b"numpy.core"])
def test_what_the_released_training_scripts_save_beside_the_weights_is_read(
    tmp_path: Path, teacher: nn.Module, numpy_module: bytes
) -> None:
    optimizer = torch.optim.SGD(teacher.parameters(), lr=0.05, momentum=0.9)
    optimizer.param_groups[0]["lr"] = 0.05 * 0.1 ** np.sum(np.asarray([1, 2]) < 3)  # as they compute it
    content = {
        "epoch": 240,
        "model": teacher.state_dict(),
        "accuracy": torch.tensor([72.0]),
        "best_acc": np.float32(72.0),
        "optimizer": optimizer.state_dict(),
        "opt": argparse.Namespace(model="resnet8", lr_decay_epochs=[150, 180, 210]),
    }
    path = tmp_path / "resnet8_last.pth"
    torch.save(content, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"cnumpy._core.", b"c" + numpy_module + b"."))
    assert load_published(path).keys() == teacher.state_dict().keys()


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("harm",)


@pytest.mark.parametrize("zipped", [True, False])
def test_files_that_could_run_code_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, teacher: nn.Module, zipped: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    content = {"model": teacher.state_dict(), "extra": Harmful()}
    torch.save(content, "hostile.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelError, match=r"hostile\.pth: .*could run code"):
        load_published("hostile.pth")
    assert not Path("harm").exists()


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04", b"\x80\x02}q\x00."])
def test_foreign_files_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign.pth"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"foreign\.pth") as raised:
        load_published(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_cut_files_are_refused(tmp_path: Path, teacher: nn.Module, zipped: bool, kept: float) -> None:
    path = tmp_path / "cut.pth"
    torch.save(teacher.state_dict(), path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ModelError, match=r"cut\.pth"):
        load_published(path)


@pytest.mark.parametrize(
    "content", [[1, 2], {}, {"epoch": 1}, {"model": {}}, {"model": {"w": 1}}, torch.ones(2)]
)
def test_files_without_a_state_dict_are_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(ModelError, match="holds no state dict"):
        load_published(tmp_path / "other.pth")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.pth: No such file"):
        load_published(tmp_path / "none.pth")


def test_mismatches_are_told_in_one_line(teacher: nn.Module) -> None:
    with pytest.raises(
        ModelError, match=r"weights do not fit ResNet: 30 missing \(layer1\.1\.conv1\.weight, .*, \.\.\.\)"
    ):
        load_into(build("resnet14", 10), teacher.state_dict())
    with pytest.raises(ModelError, match=r"fc\.weight \(10, 64\) for \(20, 64\)"):
        load_into(build("resnet8", 20), teacher.state_dict())
    with pytest.raises(ModelError, match=r"1 unexpected \(extra\)"):
        load_into(teacher, {**teacher.state_dict(), "extra": torch.zeros(1)})


def test_counters_that_old_files_lack_are_not_needed(teacher: nn.Module) -> None:
    state = {k: v for k, v in teacher.state_dict().items() if not k.endswith("num_batches_tracked")}
    load_into(build("resnet8", 10), state)


def test_the_hash_is_of_the_content() -> None:
    state = {"a": torch.arange(16.0).reshape(1, 4, 2, 2), "b": torch.tensor(3)}
    digest = state_sha256(state)
    assert digest == "77fa2e5870f54cc376a2771207cea27de92ea357b4fa459693fc02325e30e3ee"
    assert state_sha256(dict(reversed(state.items()))) == digest
    assert state_sha256({**state, "a": state["a"].to(memory_format=torch.channels_last)}) == digest
    others = [
        {**state, "a": state["a"].double()},
        {**state, "a": state["a"].reshape(2, 2, 2, 2)},
        {**state, "a": state["a"] + 1e-6},
        {"c": state["a"], "b": state["b"]},
    ]
    assert len({digest, *map(state_sha256, others)}) == 5


def test_half_precision_and_empty_tensors_have_a_hash() -> None:
    assert len(state_sha256({"h": torch.ones(3, dtype=torch.bfloat16), "e": torch.empty(0)})) == 64
