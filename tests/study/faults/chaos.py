"""Kill the processes of a study at random, again and again, and compare how it ends with an undisturbed run.

    python -m tests.study.faults.chaos --seed 0 --kills 20 --out docs/results/chaos.md     (make chaos)

The study is the quickstart's as it was first, shortened, its rate and the averaging of weights searched for
every method, with trials that are fixed beforehand (random sampler, no early stopping), logged to a real
MLflow server if that is among the targets. Killed with SIGKILL at random moments: the launcher, a trial's
process, Ray's raylet and GCS, the MLflow server. After each the launch goes on or is repeated. The outcome is
written whatever it is; the exit code is 1 where anything differs.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from threading import Thread

from study.tracking.client import client_at
from tests.study.faults.killing import ROOT, Study, kill, reports
from tests.study.tracking.test_uploader import Server

SHORT = {
    "data.options": '{"scenes": 200, "test": 100}',
    "training.epochs": "8",
    "training.lr": "LogFloat(0.02, 0.1)",
    "training.ema_decay": "Choice(None, 0.9)",
    "search.sampler": "random",
    "search.stop": "None",
    "budget.trials": "7",
    "confirm.seeds": "1",
}
TARGETS = {"launcher": 4, "trial": 9, "raylet": 3, "gcs": 2, "mlflow server": 2}
"""What is killed, and how often for each other."""

SERVER = "mlflow server"
COMMANDS = {"trial": "ray::ImplicitFunc.train", "raylet": "raylet/raylet ", "gcs": "gcs_server"}


class Chaos:
    """One disturbed run."""

    def __init__(self, study: Study, server: Server, targets: list[str], seed: int, kills: int) -> None:
        self.study, self.server, self.targets = study, server, targets
        self.random = random.Random(seed)
        self.left = kills
        self.killed: list[tuple[str, str]] = []
        self.codes: list[int] = []
        self.starting: Thread | None = None

    def run(self) -> None:
        """Launch until the study is done."""
        while not self.codes or self.codes[-1] != 0:
            assert len(self.codes) < 60, "the study does not come to an end"
            self._alive()
            launcher = self.study.start()
            while self.left and launcher.poll() is None:
                self._disturb(launcher)
            self.codes.append(self.study.end(launcher, timeout=900))
            words = self.study.printed.strip().splitlines()[-1:]
            print(f"launch {len(self.codes)} ended with {self.codes[-1]}: {words}", flush=True)
        self._alive()

    def _alive(self) -> None:
        """Have a server that answers: a launch begins with asking it."""
        if self.starting is not None:
            self.starting.join()
        elif SERVER in self.targets and self.server.process is None:
            self.server.start()

    def _restart(self) -> None:
        """Kill the server and bring it back, which takes a while, in which other things are killed."""
        self.server.stop()
        self.starting = Thread(target=self.server.start)
        self.starting.start()

    def _is_starting(self) -> bool:
        return self.starting is not None and self.starting.is_alive()

    def _disturb(self, launcher: subprocess.Popen[str]) -> None:
        before = reports(self.study.journal)
        while reports(self.study.journal) == before:
            if launcher.poll() is not None:
                return
            time.sleep(0.05)
        time.sleep(self.random.uniform(0, 1))
        there = [name for name in self.targets if name != SERVER or not self._is_starting()]
        target = self.random.choices(there, [TARGETS[name] for name in there])[0]
        lines = self.study.journal
        stage = next((line["stage"] for line in reversed(lines) if line["type"] == "stage"), "start")
        if target == "launcher":
            launcher.kill()
        elif target == SERVER:
            self._restart()
        else:
            try:
                kill(launcher.pid, COMMANDS[target], patience=2)
            except AssertionError:
                return  # none at this moment
        self.left -= 1
        self.killed.append((target, f"{stage}, {reports(lines)} epochs reported"))
        print(f"killed {len(self.killed)}: {target} ({self.killed[-1][1]})", flush=True)


def differences(chaos: Chaos, calm: Study) -> list[str]:
    """What is not as it has to be; nothing is the good outcome."""
    study, found = chaos.study, []
    try:
        study.check()
    except AssertionError as error:
        found.append(f"kept epochs or reports: {str(error).splitlines()[0]}")
    for what in ("numbers", "ends", "summary"):
        if getattr(study, what) != getattr(calm, what):
            found.append(f"the {what} differ from the undisturbed run's")
    uri = study.environment.get("MLFLOW_TRACKING_URI") or f"sqlite:///{study.results}/mlflow.db"
    if epochs_in_mlflow(uri) != {
        key: [metrics["epoch"] for metrics in numbers] for key, numbers in study.numbers.items()
    }:
        found.append("MLflow has not the epochs that the journal has")
    return found


def epochs_in_mlflow(uri: str) -> dict[str, list[int]]:
    """The epochs of each trial's loss as MLflow has them."""
    client = client_at(uri)
    experiment = client.get_experiment_by_name("killed")
    runs = [run for run in client.search_runs([experiment.experiment_id]) if "trial_key" in run.data.tags]
    histories = {
        run.data.tags["trial_key"]: client.get_metric_history(run.info.run_id, "train/loss") for run in runs
    }
    assert len(histories) == len(runs), "a trial has two runs"
    return {key: sorted(point.step for point in history) for key, history in histories.items()}


def page(chaos: Chaos, found: list[str], seconds: tuple[float, float], command: str) -> str:
    """The outcome as Markdown."""
    study, counts = chaos.study, Counter(target for target, _ in chaos.killed)
    kept = len(study.trace.read_text().splitlines())
    rows = "\n".join(f"| {n} | {target} | {when} |" for n, (target, when) in enumerate(chaos.killed, 1))
    verdict = "\n".join(f"- {line}" for line in found) or (
        "The same trials with the same ends, the same numbers of every epoch to the last bit, the same\n"
        "table; no epoch that a checkpoint kept was trained again; no report is missing or there twice,\n"
        "in the journal as in MLflow."
    )
    return f"""# {len(chaos.killed)} random kills

`{command}`

The quickstart study as it was first, shortened: {", ".join(f"`{n}={value}`" for n, value in SHORT.items())}.
{len(study.numbers)} trials, {sum(map(len, study.numbers.values()))} epochs; {kept} times one was kept.
Undisturbed it took {seconds[0]:.0f} s, with the kills {seconds[1]:.0f} s and {len(chaos.codes)} launches.
Machine: {os.cpu_count()} cores ({platform.machine()}), shared with other work; Python
{platform.python_version()}. Killed: {", ".join(f"{target} {number}" for target, number in counts.items())}.

## Outcome

{verdict}

## Kills

| | killed | in stage, after |
| --- | --- | --- |
{rows}
"""


def main() -> int:
    """Run both studies and write the outcome."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, help="of what is killed, and when")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument(
        "--targets", nargs="+", choices=TARGETS, default=list(TARGETS), help="what may be killed (all)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.md")
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    settings = [part for name, value in SHORT.items() for part in ("--set", f"{name}={value}")]
    space = (ROOT / "tests/study/plan/first_quickstart.py").read_text()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        tracking = {"MLFLOW_TRACKING_URI": server.url} if SERVER in args.targets else {}
        try:
            calm = Study(Path(folder) / "calm", settings, space=space)
            began = time.monotonic()
            while (code := calm.run()) != 0:  # a busy machine may not even start Ray in time
                print(f"undisturbed run ended with {code}: {calm.printed[-300:]}", flush=True)
            calm_s = time.monotonic() - began
            print(f"undisturbed: {calm_s:.0f} s", flush=True)
            study = Study(Path(folder) / "chaos", settings, tracking, space=space)
            chaos = Chaos(study, server, args.targets, args.seed, args.kills)
            began = time.monotonic()
            chaos.run()
            found = differences(chaos, calm)
            command = shlex.join(["python", "-m", "tests.study.faults.chaos", *sys.argv[1:]])
            args.out.write_text(page(chaos, found, (calm_s, time.monotonic() - began), command))
        finally:
            server.stop()
    print("\n".join(found) or "all as undisturbed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
