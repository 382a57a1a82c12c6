"""The lines of docs/custom_loss.md load, resolve and train a step."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import torch

from study.loading import load_space
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.spec.distillation import Distillation
from trainables.data import prepare
from trainables.engine.runtime import Runtime
from trainables.models import build
from trainables.storage.run_store import RunStore
from trainables.teacher.importing import file_teacher
from trainables.training.loop import run_trial

PAGE = Path(__file__).parents[1] / "docs" / "custom_loss.md"


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    file = tmp_path / "my_loss.py"
    file.write_text(code)
    small = ["data.options={'scenes': 100, 'test': 100}", "training.epochs=1", "training.precision=float32"]
    return resolve(load_space(file, small))


def test_the_pages_loss_is_searched_and_decoupled(plan: Plan) -> None:
    (space,) = plan.search_spaces
    names = [name for name, _, _ in space.method.domains()]
    assert names == ["base", "alpha", "logit_mse.temperature"]
    assert isinstance(space.method, Distillation)
    chosen = space.method.with_values({"base": "logit_mse", "alpha": 1.0, "logit_mse.temperature": 3.0})
    assert chosen.method().label == "SD-LOGIT_MSE"
    alone = dataclasses.replace(space.method, base="logit_mse").at_paper()
    assert alone.options == {"logit_mse": {"temperature": 2.0}}  # the default in its signature
    (source,) = plan.user_code
    assert "register_logit_loss" in source


def test_the_pages_loss_trains(plan: Plan, tmp_path: Path) -> None:
    space, pair = plan.search_spaces[0], plan.spec.pairs[0]
    store = RunStore(tmp_path / "store")
    weights = build(pair.teacher, plan.num_classes).state_dict()
    teacher = file_teacher(store, pair.teacher, weights, {})
    values = {"base": "logit_mse", "alpha": 1.0, "logit_mse.temperature": 3.0}
    assert isinstance(space.method, Distillation)
    planned = plan.search_trial(space, pair, space.method.with_values(values), teacher)
    assert planned.config.method.logit is not None
    assert planned.config.method.logit.decoupled
    assert planned.config.method.logit.code is not None
    result = run_trial(
        planned.config,
        store,
        lambda c, d: prepare(plan.raw, plan.data, d),
        lambda m: None,
        Runtime(torch.device("cpu")),
    )
    assert result["history"][0]["train/loss_logit"] > 0


def test_the_command_on_the_page_is_the_files() -> None:
    text = PAGE.read_text()
    assert "Save this as `my_loss.py`" in text
    assert "--space my_loss.py" in text
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 24
