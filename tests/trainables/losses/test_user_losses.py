"""A loss of the user's own reaches the processes that train, and is there what it is in the space file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainables.config import LogitTerm, Method
from trainables.engine.criterion import Criterion
from trainables.losses import LossError, check_logit_loss, logit_loss_fingerprint, user_losses
from trainables.losses.catalog import LOGIT_LOSSES
from trainables.losses.source_text import compiled, read_source
from trainables.losses.user_losses import registered_sources, run_sources

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
from trainables.losses.user_losses import run_sources
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
    exec(compiled(read_source(file), str(file)), {"__name__": "own", "__file__": str(file)})
    yield file
    user_losses._now.clear()


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


def test_a_file_edited_after_it_was_loaded_changes_nothing(space: Path) -> None:
    before = logit_loss_fingerprint("travels")
    space.write_text("# a comment\n# another\n" + SPACE.replace("mean", "sum"))
    assert logit_loss_fingerprint("travels") == before
    assert registered_sources(["travels"]) == (SPACE,)


def test_comments_outside_the_function_change_no_fingerprint(space: Path) -> None:
    before = logit_loss_fingerprint("travels")
    text = SPACE.replace("@register", "# what it is for\n# and by whom\n@register") + "# the end\n"
    LOGIT_LOSSES.pop("travels")
    run_sources([text])
    assert logit_loss_fingerprint("travels") == before


def test_a_process_goes_back_to_the_text_of_its_next_trial(space: Path) -> None:
    before = logit_loss_fingerprint("travels")
    LOGIT_LOSSES.pop("travels")
    for text in (SPACE, SPACE.replace("mean", "sum"), SPACE):
        run_sources([text])
    assert logit_loss_fingerprint("travels") == before


def test_a_process_with_another_text_of_the_loss_refuses_the_trial(space: Path) -> None:
    code = logit_loss_fingerprint("travels")
    Criterion(Method(logit=LogitTerm(base="travels", options={"power": 2.0}, code=code)))
    LOGIT_LOSSES.pop("travels")
    run_sources([SPACE.replace("mean", "sum")])
    with pytest.raises(LossError, match="another text of it"):
        Criterion(Method(logit=LogitTerm(base="travels", options={"power": 2.0}, code=code)))


def test_an_edited_loss_is_another_one(space: Path) -> None:
    before = logit_loss_fingerprint("travels")
    LOGIT_LOSSES.pop("travels")
    run_sources([SPACE.replace("mean", "sum")])
    assert logit_loss_fingerprint("travels") not in (None, before)
