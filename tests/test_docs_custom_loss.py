"""The lines of docs/custom_loss.md load, resolve and train a step."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from study.loading import load_space
from study.methods import at_paper
from study.plan import Plan, resolve
from study.teachers import file_teacher
from trainables.data import prepare
from trainables.loop import run_trial
from trainables.losses.table import LOGIT_LOSSES
from trainables.models import build
from trainables.store import Store

PAGE = Path(__file__).parents[1] / "docs" / "custom_loss.md"


@pytest.fixture
def plan(tmp_path: Path) -> Iterator[Plan]:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    file = tmp_path / "my_loss.py"
    file.write_text(code)
    small = ["data.options={'scenes': 100, 'test': 100}", "training.epochs=1", "training.precision=float32"]
    yield resolve(load_space(file, small))
    LOGIT_LOSSES.pop("logit_mse", None)


def test_the_pages_loss_is_searched_and_decoupled(plan: Plan) -> None:
    (arm,) = plan.arms
    names = [name for name, _, _ in arm.method.domains()]
    assert names == ["base", "alpha", "logit_mse.temperature"]
    chosen = arm.method.with_values({"base": "logit_mse", "alpha": 1.0, "logit_mse.temperature": 3.0})
    assert chosen.method().label == "SD-LOGIT_MSE"
    alone = at_paper(dataclasses.replace(arm.method, base="logit_mse"))
    assert alone.options == {"logit_mse": {"temperature": 2.0}}  # the default in its signature
    (source,) = plan.user_code
    assert "register_logit_loss" in source


def test_the_pages_loss_trains(plan: Plan, tmp_path: Path) -> None:
    arm, pair = plan.arms[0], plan.spec.pairs[0]
    store = Store(tmp_path / "store")
    weights = build(pair.teacher, plan.num_classes).state_dict()
    teacher = file_teacher(store, pair.teacher, weights, {})
    values = {"base": "logit_mse", "alpha": 1.0, "logit_mse.temperature": 3.0}
    job = plan.search_job(arm, pair, arm.method.with_values(values), teacher)
    assert job.config.method.logit is not None
    assert job.config.method.logit.decoupled
    assert job.config.method.logit.code is not None
    result = run_trial(
        job.config, store, lambda c, d: prepare(plan.raw, plan.data, d), lambda m: None, torch.device("cpu")
    )
    assert result["history"][0]["train/loss_logit"] > 0


def test_the_command_on_the_page_is_the_files() -> None:
    text = PAGE.read_text()
    assert "Save this as `my_loss.py`" in text
    assert "--space my_loss.py" in text
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 24
