"""Weight files as people have them: what becomes of each as the teacher of a pair."""

from __future__ import annotations

import argparse
import io
import json
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.inputs.case import Case, Read, Refused, hold, table
from trainables.models import build
from trainables.models.weights import state_sha256
from trainables.teacher.importing import read_teacher

NETWORK = build("resnet8", 10).state_dict()
OTHER = build("resnet14", 10).state_dict()
SPEED = {"state": {0: {"momentum_buffer": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]}


def under(prefix: str, state: dict[str, Tensor] = NETWORK) -> dict[str, Tensor]:
    return {f"{prefix}{key}": value for key, value in state.items()}


def saved(content: Any, name: str = "teacher.pth") -> Callable[[Path], Path]:
    def make(place: Path) -> Path:
        torch.save(content, place / name)
        return place / name

    return make


def written(content: bytes, name: str = "teacher.pth") -> Callable[[Path], Path]:
    def make(place: Path) -> Path:
        (place / name).write_bytes(content)
        return place / name

    return make


def safetensors(state: dict[str, Tensor], cut: int = 0) -> bytes:
    """The format by its description: length of the header, header, bytes."""
    kinds = {torch.float32: "F32", torch.int64: "I64", torch.bfloat16: "BF16"}
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, value in state.items():
        part = value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        offsets = [len(body), len(body) + len(part)]
        header[name] = {"dtype": kinds[value.dtype], "shape": list(value.shape), "data_offsets": offsets}
        body += part
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body[: len(body) - cut]


def tarred(suffix: str = "") -> Callable[[Path], Path]:
    def make(place: Path) -> Path:
        torch.save(NETWORK, place / "a.pth")
        with tarfile.open(place / f"teachers.tar{suffix}", f"w:{suffix.removeprefix('.')}") as archive:
            archive.add(place / "a.pth", "resnet8_vanilla/ckpt_epoch_240.pth")
        return place / f"teachers.tar{suffix}"

    return make


def zipped(place: Path) -> Path:
    with zipfile.ZipFile(place / "teachers.zip", "w") as archive:
        archive.writestr("resnet8_vanilla/ckpt_epoch_240.pth", b"x")
    return place / "teachers.zip"


DISTILLER = (
    under("module.student.") | under("module.teacher.", OTHER) | {"module.conv_reg.weight": torch.ones(1)}
)

PROGRAMS = (
    Case("RepDistiller's", saved({"epoch": 240, "model": NETWORK, "best_acc": 0.7, "opt": argparse.Namespace()}), Read()),
    Case("mdistiller's student_best", saved({"model": NETWORK, "epoch": 1}), Read()),
    Case("mdistiller's best and latest, a whole distiller", saved({"epoch": 1, "model": DISTILLER, "optimizer": SPEED}), Read()),
    Case("mdistiller's best of plain training", saved({"model": under("module.student.")}), Read()),
    Case("torchvision's references", saved({"model": NETWORK, "model_ema": under("module.") | {"n_averaged": torch.tensor(3)}}), Read()),
    Case("timm's", saved({"state_dict": NETWORK, "state_dict_ema": NETWORK, "optimizer": SPEED}), Read()),
    Case("timm's average alone", saved({"state_dict_ema": NETWORK, "optimizer": SPEED}), Read()),
    Case("Lightning's", saved({"state_dict": under("model."), "epoch": 3, "optimizer_states": [SPEED]}), Read()),
    Case("a key of one's own", saved({"net": NETWORK, "acc": 91.2}), Read()),
    Case("a key below a key", saved({"ema": {"shadow": NETWORK, "decay": 0.999}}), Read()),
    Case("two networks under keys of one's own", saved({"net_a": NETWORK, "net_b": NETWORK}), Refused(r"holds several state dicts \(net_a, net_b\); save the one that is meant")),
    Case("an optimiser alone", saved({"optimizer": SPEED}), Refused("holds no state dict")),
)  # fmt: skip
WRAPPERS = (
    Case("DataParallel's", saved({"state_dict": under("module.")}), Read()),
    Case("torch.compile's", saved(under("_orig_mod.")), Read()),
    Case("both, either way round", saved(under("module._orig_mod.module.")), Read()),
    Case("torch.compile's of a part", saved({key.replace("layer1.", "layer1._orig_mod."): v for key, v in NETWORK.items()}), Read()),
    Case("sharding's", saved(under("_fsdp_wrapped_module.")), Read()),
    Case("an average's", saved(under("module.") | {"n_averaged": torch.tensor(3)}), Read()),
    Case("a name of one's own", saved(under("backbone.net.")), Read()),
    Case("another network under a name of one's own", saved(under("backbone.", OTHER)), Refused("weights do not fit ResNet")),
)  # fmt: skip
FILES = (
    Case("safetensors", written(safetensors(NETWORK), "teacher.safetensors"), Read()),
    Case("safetensors, cut short", written(safetensors(NETWORK, 100), "teacher.safetensors"), Refused("teacher.safetensors: damaged .*lies outside")),
    Case("safetensors of another kind of number", written(safetensors(NETWORK).replace(b'"F32"', b'"F99"'), "t.safetensors"), Refused("t.safetensors: damaged")),
    Case("a .tar of teachers", tarred(), Refused(r"an archive of 1 files \(resnet8_vanilla/ckpt_epoch_240.pth\); unpack it, and name the one")),
    Case("a .tar.gz of teachers", tarred(".gz"), Refused("an archive of 1 files")),
    Case("a .zip of teachers", zipped, Refused("an archive of 1 files")),
    Case("a .tar that is torch's own", saved({"state_dict": NETWORK}, "model_best.pth.tar"), Read()),
    Case("a pointer of Git LFS", written(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"), Refused("a pointer of Git LFS .*git lfs pull")),
    Case("a web page", written(b"\n<!DOCTYPE html><html></html>"), Refused("a web page in the place of the file; download it again")),
    Case("nothing", written(b""), Refused("teacher.pth")),
    Case("a folder", lambda place: place, Refused("Is a directory")),
)  # fmt: skip


@table(*PROGRAMS, *WRAPPERS, *FILES)
def test_weights(case: Case, tmp_path: Path) -> None:
    def take(path: Path) -> tuple[str, ...]:
        assert state_sha256(read_teacher(path, "resnet8", 10, 32)) == state_sha256(NETWORK)
        return ()

    hold(case, tmp_path, take)


def test_half_precision_and_empty_tensors_are_read_from_safetensors(tmp_path: Path) -> None:
    from trainables.models.weights import load_published

    state = {"a.w": torch.tensor([[1.5, -2.0]], dtype=torch.bfloat16), "a.none": torch.empty(0, 3)}
    path = written(safetensors(state), "small.safetensors")(tmp_path)
    for name, value in load_published(path).items():
        assert (value.dtype, value.shape) == (state[name].dtype, state[name].shape)
        assert torch.equal(value, state[name])


def test_a_home_folder_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    saved(NETWORK)(tmp_path)
    from study.spec import KD, Data, Pair, StudySpec
    from study.spec.validation import check_names

    pair = Pair("resnet8", "resnet8", weights="~/teacher.pth")
    check_names(StudySpec(data=Data(name="cluttered_digits"), pairs=(pair,), methods=(KD(),)))
    assert pair.weight_file == tmp_path / "teacher.pth"
    assert read_teacher(Path("~/teacher.pth"), "resnet8", 10, 32)


def test_nothing_is_unpickled_from_an_archive_in_torchs_clothes(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "harm"),)

    buffer = io.BytesIO()
    torch.save({"state_dict_ema": NETWORK, "extra": Harm()}, buffer)
    with pytest.raises(ValueError, match="could run code"):
        read_teacher(written(buffer.getvalue())(tmp_path), "resnet8", 10, 32)
    assert not (tmp_path / "harm").exists()
