"""A study that is run for real, and whose processes are killed; what it leaves behind, to be compared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
SPACE = """
from study.spec import *

STUDY = StudySpec(
    data=Data(name="cluttered_digits", validation=0.2, options={"scenes": 200, "test": 100}),
    pairs=[Pair("resnet8", "resnet8")],
    methods=[SDD(alpha=LogFloat(0.25, 4), scales=Choice((1, 2), (1, 2, 4)))],
    training=Training(epochs=6, batch_size=32, lr=0.05, milestones=(), precision="float32"),
    search=Search(sampler="random", stop=None),
    budget=Budget(trials=4),
    confirm=Confirm(best=1, paper=False, seeds=1),
)
"""
"""Its trials are fixed beforehand: drawn at random by a seed, none stopped early."""

Line = dict[str, Any]


@dataclass
class Study:
    """A study in a folder of its own, launched as a user does, every kept epoch traced."""

    folder: Path
    arguments: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    space: str = SPACE
    printed: str = ""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "killed.py"
        self.file.write_text(self.space)
        self.results = self.folder / "results"
        self.trace = self.folder / "trace"

    def start(self) -> subprocess.Popen[str]:
        """Launch it."""
        paths = os.pathsep.join([str(Path(__file__).parent / "traced"), str(ROOT)])
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "MLFLOW_"))},
            "PYTHONPATH": paths,
            "SDD_TRACE": str(self.trace),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
            **self.environment,
        }
        command = [sys.executable, str(ROOT / "study" / "launch.py"), "--space", str(self.file)]
        command += ["--results", str(self.results), *self.arguments]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )

    def end(self, process: subprocess.Popen[str], timeout: float = 1200.0) -> int:
        """Wait for a launcher; returns its exit code."""
        self.printed = process.communicate(timeout=timeout)[0]
        assert "Traceback" not in self.printed, self.printed
        return process.returncode

    def run(self) -> int:
        """Launch it and wait; returns the exit code."""
        return self.end(self.start())

    @property
    def journal(self) -> list[Line]:
        """The whole lines of its journal, so far."""
        path = self.results / "killed" / "journal.jsonl"
        if not path.exists():
            return []
        return [json.loads(raw) for raw in path.read_bytes().splitlines(keepends=True) if raw.endswith(b"\n")]

    def wait_for(
        self, what: Callable[[list[Line]], bool], process: subprocess.Popen[str], timeout: float = 600.0
    ) -> None:
        """Return once the journal is so, while the launcher lives."""
        deadline = time.monotonic() + timeout
        while not what(self.journal):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline, self.journal
            time.sleep(0.02)

    def check(self) -> None:
        """No epoch that was kept was trained again; no report is there twice; none is missing."""
        kept = Counter(tuple(line.split()[:2]) for line in self.trace.read_text().splitlines())
        assert {epoch: number for epoch, number in kept.items() if number > 1} == {}
        lines = [line for line in self.journal if line["type"] == "report"]
        assert len({(line["key"], line["metrics"]["epoch"]) for line in lines}) == len(lines)
        for key, numbers in self.numbers.items():
            assert [metrics["epoch"] for metrics in numbers] == list(range(1, len(numbers) + 1)), key

    @property
    def numbers(self) -> dict[str, list[dict[str, float]]]:
        """What each trial reported, epoch by epoch, without how long things took."""
        found: dict[str, list[dict[str, float]]] = {}
        for line in self.journal:
            if line["type"] == "report":
                metrics = line["metrics"]
                kept = {name: value for name, value in metrics.items() if not name.startswith("time/")}
                found.setdefault(line["key"], []).append(kept)
        return found

    @property
    def ends(self) -> dict[str, tuple[str, str, str]]:
        """Stage, status and reason of each trial at the end, by key."""
        stages = {line["key"]: line["stage"] for line in self.journal if line["type"] == "trial"}
        return {
            line["key"]: (stages[line["key"]], line["status"], line["reason"])
            for line in self.journal
            if line["type"] == "end"
        }

    @property
    def summary(self) -> str:
        """Its table."""
        return (self.results / "killed" / "tables" / "summary.csv").read_text()


def same(study: Study, undisturbed: Study) -> bool:
    """Whether a study whose trials are fixed ended like one that nobody disturbed."""
    study.check()
    ours, theirs = ((one.numbers, one.ends, one.summary) for one in (study, undisturbed))
    return ours == theirs


def reports(lines: list[Line], stage: str = "") -> int:
    """How many epochs were reported, of trials of a stage."""
    stages = {line["key"]: line["stage"] for line in lines if line["type"] == "trial"}
    return sum(line["type"] == "report" and stages[line["key"]].startswith(stage) for line in lines)


def descendants(pid: int) -> Iterator[tuple[int, str]]:
    """Processes below ``pid`` and their command lines."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    waiting = [pid]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            waiting.append(child)
            try:
                command = Path(f"/proc/{child}/cmdline").read_bytes()
            except OSError:
                continue
            yield child, command.replace(b"\0", b" ").decode()


def kill(launcher: int, name: str, patience: float = 30.0) -> int:
    """SIGKILL a process below the launcher whose command line has ``name`` in it; returns which."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        for pid, command in descendants(launcher):
            if name in command:
                os.kill(pid, signal.SIGKILL)
                return pid
        time.sleep(0.05)
    raise AssertionError(f"no process {name}: {[command[:90] for _, command in descendants(launcher)]}")
