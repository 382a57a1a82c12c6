"""The lines of docs/data.md distil on a folder of one's own."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from study.loading import load_space
from study.plan.resolve import resolve
from study.spec.distillation import Distillation
from tests.trainables.data.conftest import save
from trainables.data import prepare
from trainables.engine.runtime import Runtime
from trainables.models import build
from trainables.storage.run_store import RunStore
from trainables.teacher.importing import file_teacher
from trainables.training.loop import run_trial

PAGE = Path(__file__).parents[1] / "docs" / "data.md"


def test_the_page_distils_on_a_folder(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(code.splitlines()) <= 15
    for part, count in (("train", 8), ("val", 2)):
        for label, name in enumerate(("ant", "bee")):
            for i in range(count):
                save(tmp_path / f"pictures/{part}/{name}/{i}.jpg", 10 * label + i, 80 + 10 * i)
    file = tmp_path / "my_folder.py"
    file.write_text(code)
    small = {"training.epochs": "1", "training.batch_size": "8", "training.precision": "float32"}
    small |= {"data.root": str(tmp_path / "pictures"), "data.options.size": "32"}
    small |= {"pairs.0.teacher": "resnet8", "pairs.0.student": "resnet8"}
    plan = resolve(load_space(file, [f"{name}={value}" for name, value in small.items()]))
    assert plan.num_classes == 2
    assert plan.image_size == 32
    store, pair = RunStore(tmp_path / "store"), plan.spec.pairs[0]
    teacher = file_teacher(store, pair.teacher, build(pair.teacher, 2).state_dict(), {})
    (space,) = plan.search_spaces
    assert isinstance(space.method, Distillation)
    planned = plan.search_trial(space, pair, space.method.with_values({"beta": 4.0}), teacher)
    result = run_trial(
        planned.config,
        store,
        lambda config, device: prepare(plan.raw, plan.data, device),
        lambda metrics: None,
        Runtime(torch.device("cpu")),
    )
    assert result["history"][0]["train/loss_logit"] > 0
    assert len(plan.raw.test_labels) == 4


def test_the_pages_defaults_are_the_readers() -> None:
    from trainables.data.readers.image_folders import EXTENSIONS
    from trainables.data.readers.sized import RESIDENT_SIDE

    text = PAGE.read_text()
    assert f"Up to {RESIDENT_SIDE} pixels" in text
    assert all(extension in text for extension in EXTENSIONS)
