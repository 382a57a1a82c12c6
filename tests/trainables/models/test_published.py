"""Published weights by name: out of the libraries' caches, hashed; one line where they cannot be fetched."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.trainables.models.standing_in import VIT, cut_off, timm_file, torchvision_file
from tests.trainables.trials import Run, tiny
from trainables.config import TrialConfig
from trainables.data.dataset import DataSet
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.models import ModelError, build
from trainables.models.published import fetch, published_sha256
from trainables.models.resized_weights import resized, resized_positions
from trainables.models.weights import state_sha256
from trainables.storage.run_store import RunStore
from trainables.teacher.importing import file_teacher, published_teacher, read_teacher
from trainables.teacher.opening import MissingTeacher
from trainables.training.build import build_engine

pytest.importorskip("timm")


@pytest.fixture(autouse=True)
def _cut_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cut_off(monkeypatch, tmp_path)
    published_sha256.cache_clear()


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def from_published(config: TrialConfig, weights: str) -> TrialConfig:
    """``config``, but for what it starts from."""
    training = dataclasses.replace(config.training, init="published")
    return dataclasses.replace(config, training=training, initial=weights)


def test_torchvisions_weights_come_out_of_its_cache(tmp_path: Path) -> None:
    state = torchvision_file(tmp_path)
    found = fetch("torchvision:resnet18")
    assert same(dict(found.state), state)
    assert found.classes == 1000
    assert found.source.endswith("resnet18-f37072fd.pth")
    assert found.mean == (0.485, 0.456, 0.406)
    assert published_sha256("torchvision:resnet18") == state_sha256(state)
    assert same(dict(fetch("torchvision:resnet18", "published:IMAGENET1K_V1").state), state)
    assert same(dict(fetch("ResNet18").state), state)


@pytest.mark.parametrize("on_hub", [True, False])
def test_timms_weights_come_out_of_the_hubs_cache_or_torchs(on_hub: bool, tmp_path: Path) -> None:
    state = timm_file(tmp_path, on_hub=on_hub)
    found = fetch(VIT)
    assert same(dict(found.state), state)
    assert found.classes == 1000


@pytest.mark.parametrize(
    ("name", "address", "file"),
    [
        (
            "torchvision:resnet18",
            "https://download.pytorch.org/models/resnet18-f37072fd.pth",
            "resnet18-f37072fd.pth",
        ),
        (
            VIT,
            "https://huggingface.co/timm/test_vit.r160_in1k/resolve/main/model.safetensors",
            "test_vit.r160_in1k.safetensors",
        ),
    ],
)
def test_without_a_network_one_line_says_what_to_fetch_and_where_to_put_it(
    name: str, address: str, file: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError) as raised:
        fetch(name)
    said = str(raised.value)
    assert "no network in tests" in said
    assert f"fetch {address} where there is a network" in said
    assert said.endswith(f"put it at {tmp_path / 'torch' / 'hub' / 'checkpoints' / file}")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("name", "weights", "said"),
    [
        ("resnet8", "published", "no weights that a library publishes"),
        ("torchvision:resnet18", "published:V9", "no weights 'V9'; known: .*IMAGENET1K_V1"),
        (VIT, "published:nope", "no weights 'nope'"),
        ("torchvision:resnet81", "published", "unknown network"),
    ],
)
def test_what_nobody_publishes_is_one_line(name: str, weights: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        fetch(name, weights)


def test_a_damaged_file_in_the_cache_is_named(tmp_path: Path) -> None:
    torchvision_file(tmp_path)
    file = tmp_path / "torch" / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"resnet18-f37072fd\.pth: "):
        fetch("torchvision:resnet18")


def test_a_teacher_has_the_published_classes_and_the_images_size(tmp_path: Path) -> None:
    from timm.layers import resample_abs_pos_embed  # type: ignore[attr-defined]

    state = timm_file(tmp_path)
    fitted = published_teacher(VIT, "published", 1000, 96)
    grid = build(VIT, 1000, image_size=96).network.patch_embed.grid_size  # type: ignore[union-attr]
    expected = resample_abs_pos_embed(state["pos_embed"], list(grid), num_prefix_tokens=1)
    assert fitted["pos_embed"].shape != state["pos_embed"].shape
    torch.testing.assert_close(fitted["pos_embed"], expected)
    assert torch.equal(fitted["head.weight"], state["head.weight"])
    with pytest.raises(ModelError, match="for 1000 classes, the data has 10; teacher_training"):
        published_teacher(VIT, "published", 10, 96)


def test_a_weight_file_of_another_image_size_is_read_alike(tmp_path: Path) -> None:
    state = timm_file(tmp_path)
    file = tmp_path / "mine.pth"
    torch.save(state, file)
    read = read_teacher(file, VIT, 1000, 96)
    assert same(dict(read), dict(published_teacher(VIT, "published", 1000, 96)))


def test_torchvisions_positions_are_resized_as_timm_does() -> None:
    from timm.layers import resample_abs_pos_embed  # type: ignore[attr-defined]

    positions = torch.randn(1, 1 + 14 * 14, 12)
    expected = resample_abs_pos_embed(positions, [4, 4], num_prefix_tokens=1)
    torch.testing.assert_close(resized_positions(positions, 16), expected)
    with torch.device("meta"):
        small = build("torchvision:vit_b_16", 10, image_size=32)
    state = {"encoder.pos_embedding": torch.randn(1, 197, 768)}
    assert resized(state, small)["encoder.pos_embedding"].shape == (1, 5, 768)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", ["torchvision:resnet18", VIT])
def test_training_starts_from_published_weights_under_a_new_head(
    name: str, store: RunStore, digits: DataSet, tmp_path: Path
) -> None:
    state = timm_file(tmp_path) if name == VIT else torchvision_file(tmp_path)
    filed = file_teacher(store, name, fetch(name).state, fetch(name).about)
    assert filed.weights == published_sha256(name)
    random = tiny(student=name, training={"epochs": 1, "lr": 1e-3})
    config = from_published(random, filed.weights)
    assert config.trial_key != random.trial_key
    student = build_engine(TrialInputs(config, store, digits), Runtime(torch.device("cpu"))).student.network
    own = student.state_dict()
    fresh = build(name, 10).classifier_weights
    alike = {key for key in own if key in state and torch.equal(own[key].contiguous(), state[key])}
    assert set(own) - alike == {*fresh, *(["pos_embed"] if name == VIT else [])}
    assert own[fresh[0]].shape[0] == 10
    assert Run(config, store, digits).result is not None


def test_what_training_starts_from_has_to_be_filed(store: RunStore, digits: DataSet) -> None:
    config = from_published(tiny(student="torchvision:resnet18"), "0" * 64)
    with pytest.raises(MissingTeacher, match="no weights of teacher torchvision:resnet18 are filed"):
        Run(config, store, digits)
    with pytest.raises(ValueError, match=r"initial: goes with training\.init='published' alone"):
        tiny(training={"init": "published"})
