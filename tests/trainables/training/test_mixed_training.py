"""Mixing and drop path in whole trials: the teacher sees the mixed image, resumed trials the same ones."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from tests.trainables.models.test_tokens import CLASS_TOKEN
from tests.trainables.stepping import needs_compiler
from tests.trainables.trials import CPU, SD_DKD, Run, file_teacher, tiny
from trainables.config import ConfigError, Method, Training
from trainables.data.dataset import DataSet
from trainables.data.mixing import MixedLabels
from trainables.engine.criterion import Criterion
from trainables.engine.head import HeadOutputs
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.models import ModelError, build
from trainables.storage.run_store import RunStore
from trainables.teacher.live import LiveTeacher
from trainables.training.build import build_engine

pytestmark = pytest.mark.usefixtures("one_thread")
MIXED = {"mixup": 0.8, "cutmix": 1.0}


def test_the_cross_entropy_counts_both_labels_by_their_share() -> None:
    logits, first, second = torch.randn(4, 1, 10), torch.arange(4), torch.arange(4) + 3
    labels = MixedLabels(second, torch.tensor(0.75))
    terms = Criterion(Method())(HeadOutputs(logits, None), None, first, first, 1, labels)
    both = (
        torch.zeros(4, 10)
        .scatter_(1, first[:, None], 0.75)
        .scatter_add_(1, second[:, None], torch.full((4, 1), 0.25))
    )
    torch.testing.assert_close(terms["ce"], functional.cross_entropy(logits[:, 0], both))


def test_the_teacher_sees_the_mixed_images_and_none_is_remembered(store: RunStore, digits: DataSet) -> None:
    config = tiny(Method(logit=SD_DKD), teacher=file_teacher(store), training=MIXED)
    engine = build_engine(TrialInputs(config, store, digits), Runtime(CPU))
    assert isinstance(engine.teacher, LiveTeacher)
    seen: list[torch.Tensor] = []
    engine.teacher.eager = lambda images, run=engine.teacher.eager: (seen.append(images), run(images))[1]
    shown: list[torch.Tensor] = []
    engine.student.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    engine.train_epoch(digits.train, epoch=1, seed=0)
    assert len(seen) == len(shown) == 3
    assert all(torch.equal(one, other) for one, other in zip(seen, shown, strict=True))
    plain = [batch.images for batch in digits.train.batches(32, epoch=1, seed=0)]
    assert not any(torch.equal(one, other) for one, other in zip(seen, plain, strict=True))


def test_distilling_on_mixed_images_goes_on_where_it_stood(store: RunStore, digits: DataSet) -> None:
    config = tiny(Method(logit=SD_DKD), teacher=file_teacher(store), training=MIXED)
    whole = Run(config, store, digits)
    other = RunStore(store.root / "other")  # type: ignore[operator]
    file_teacher(other)
    Run(config, other, digits, stop_after=1)
    assert Run(config, other, digits).numbers == whole.numbers


@needs_compiler
@pytest.mark.slow
def test_a_compiled_step_takes_mixed_images(store: RunStore, digits: DataSet) -> None:
    training = {**MIXED, "epochs": 1, "lr": 1e-4}
    config = tiny(Method(logit=SD_DKD), teacher=file_teacher(store), training=training)
    found = []
    for mode in ("eager", "compiled"):
        engine = build_engine(TrialInputs(config, store, digits), Runtime(CPU, compile_mode=mode))
        assert (engine.compiled is not None) == (mode == "compiled")
        found.append(engine.train_epoch(digits.train, epoch=1, seed=0)["train/loss"])
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_drop_path_changes_the_training_and_not_what_is_measured(store: RunStore, digits: DataSet) -> None:
    pytest.importorskip("timm")
    dropped, usual = (
        Run(tiny(student=CLASS_TOKEN, training={"drop_path": rate}), store, digits) for rate in (0.5, None)
    )
    assert dropped.numbers != usual.numbers
    network = build(CLASS_TOKEN, 7, drop_path=0.5)
    images = torch.randn(4, 3, 32, 32)
    network.train()
    assert not torch.equal(network(images), network(images))
    network.eval()
    plain = build(CLASS_TOKEN, 7).eval()
    plain.load_state_dict(network.state_dict())
    torch.testing.assert_close(network(images), plain(images))


def test_torchvisions_branches_are_dropped_more_often_the_later_they_are() -> None:
    network = build("torchvision:convnext_tiny", 7, image_size=64, drop_path=0.3)
    rates = [module.p for module in network.modules() if type(module).__name__ == "StochasticDepth"]
    assert rates[0] == 0
    assert rates[-1] == pytest.approx(0.3)
    assert rates == sorted(rates)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet8", "has no drop path"),
        ("torchvision:resnet18", "no residual branches that torchvision drops"),
        ("timm:vgg11_bn", "drop_path_rate"),
    ],
)
def test_networks_without_branches_to_drop_are_refused(name: str, said: str) -> None:
    if name.startswith("timm"):
        pytest.importorskip("timm")
    with torch.device("meta"), pytest.raises(ModelError, match=said):
        build(name, 7, image_size=64, drop_path=0.1)


@pytest.mark.parametrize("change", [{"mixup": -0.1}, {"cutmix": -1.0}, {"drop_path": 1.0}])
def test_strengths_out_of_range_name_their_field(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        Training(**change)  # type: ignore[arg-type]
