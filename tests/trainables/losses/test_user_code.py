"""A loss of the user's own reaches the processes that train, and is there what it is in the space file."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainables.losses import check_logit_loss, logit_loss_fingerprint
from trainables.losses.table import LOGIT_LOSSES
from trainables.losses.user_code import registered_sources, run_sources

SPACE = '''
from trainables.losses import register_logit_loss

@register_logit_loss("travels")
def travels(student, teacher, target, *, power=2.0):
    """Logits [N, K] -> [N]."""
    return (student - teacher).abs().pow(power).mean(dim=1)
'''

TRIAL_PROCESS = """
import json, sys
from pathlib import Path
from trainables.losses import check_logit_loss, logit_loss, logit_loss_fingerprint
from trainables.losses.user_code import run_sources
texts = json.load(sys.stdin)
run_sources(texts)
run_sources(texts)  # a warm process gets it with every trial
import torch
value = logit_loss("travels", power=3.0)(torch.full((2, 4), 2.0), torch.zeros(2, 4), torch.zeros(2).long())
print(json.dumps([value.tolist(), check_logit_loss("travels"), logit_loss_fingerprint("travels")]))
"""


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "own.py"
    file.write_text(SPACE)
    spec = importlib.util.spec_from_file_location("own", file)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    yield file
    LOGIT_LOSSES.pop("travels", None)


def test_only_files_of_losses_that_are_not_built_in_travel(space: Path) -> None:
    assert registered_sources(["kd", "dkd"]) == ()
    assert registered_sources(["kd", "travels"]) == (SPACE,)


def test_a_fresh_process_computes_with_it_under_the_same_fingerprint(space: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRIAL_PROCESS],
        input=json.dumps(registered_sources(["travels"])),
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    value, options, fingerprint = json.loads(done.stdout)
    assert value == [8.0, 8.0]
    assert options == {"power": 2.0} == check_logit_loss("travels")
    assert fingerprint == logit_loss_fingerprint("travels")


def test_an_edited_loss_is_another_one(space: Path) -> None:
    before = logit_loss_fingerprint("travels")
    LOGIT_LOSSES.pop("travels")
    run_sources([SPACE.replace("mean", "sum")])
    assert logit_loss_fingerprint("travels") not in (None, before)
