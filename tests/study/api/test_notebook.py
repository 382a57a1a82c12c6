"""``study.run`` in one process, as a notebook uses it: interrupted, gone on with, asked again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import study
from study.api.notebook import NOTEBOOK_WIDTH, notebook_console
from study.errors import UserError

SESSION = """
import os, signal, sys, threading, time
from pathlib import Path
import study

space, results = sys.argv[1:]
journal = Path(results) / "small" / "journal.jsonl"
asked = dict(results=results, overrides=["budget.trials=2", "confirm.best=0", "training.epochs=3"])


def interrupt() -> None:
    while not journal.exists() or journal.read_text().count('"report"') < 4:
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)


answers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
threading.Thread(target=interrupt, daemon=True).start()
try:
    study.run(space, **asked)
except KeyboardInterrupt:
    print("INTERRUPTED", study.open(results, "small"))
assert answers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
kept = study.open(results, "small").metrics()

found = study.run(space, **asked)
print("DONE", found)
metrics = found.metrics()
first = metrics.iloc[: len(kept)].sort_values(["trial_key", "step", "name"])
both = metrics.merge(kept, on=["trial_key", "step", "name"], suffixes=("", "_kept"))
assert len(both) == len(kept) and (both["value"] == both["value_kept"]).all(), "an epoch was trained again"
lines = journal.read_text().count('"report"')
again = study.run(space, **asked)
assert journal.read_text().count('"report"') == lines
network = again.student(pair="resnet8-resnet8")
print("STUDENT", type(network).__name__, network.training, sum(p.numel() for p in network.parameters()))
"""


@pytest.mark.ray
def test_a_run_is_interrupted_and_gone_on_with(space: Callable[..., Path], tmp_path: Path) -> None:
    script = tmp_path / "session.py"
    script.write_text(SESSION)
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    done = subprocess.run(
        [sys.executable, str(script), str(space()), str(tmp_path / "results")],
        capture_output=True,
        text=True,
        timeout=300,
        env={**environment, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[3])},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "interrupted; nothing is lost. Go on with:\n  the same call" in done.stdout
    assert "INTERRUPTED <Study small in" in done.stdout
    assert "search: 2 trials, 2 of them known" in done.stdout
    assert "STUDENT ResNet False" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_kernel_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    console = notebook_console()
    assert not console.is_terminal
    assert not console.is_jupyter
    assert console.width == NOTEBOOK_WIDTH


def test_wrong_input_raises_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    for call, part in (
        (lambda: study.run("quickstrt", results=tmp_path), "quickstart"),
        (lambda: study.run("quickstart", results=tmp_path, stages=["serch"]), "did you mean 'search'"),
        (lambda: study.run("quickstart", results=tmp_path, overrides=["budget.trial=1"]), "did you mean"),
        (lambda: study.plan("quickstart", ["methods.1.scales=(1, 64)"]), "64 does not fit the 4x4 map"),
    ):
        with pytest.raises(UserError, match=part) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_spec_without_a_name_says_where_the_name_belongs() -> None:
    from study.spec import KD, Data, Pair, StudySpec

    spec = StudySpec(data=Data(name="cluttered_digits"), pairs=(Pair("resnet8", "resnet8"),), methods=(KD(),))
    with pytest.raises(UserError, match=r"StudySpec: name: missing; StudySpec\(name=...\)"):
        study.plan(spec)
    assert study.plan(spec, ["name='mine'"]).spec.name == "mine"
