"""What the user sees while a study runs: one live view in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from study.journal import Record
from study.plan import Job

LINE_EVERY_S = 15.0
SPEED_WINDOW_S = 60.0


class Progress:
    """Watches a study and shows where it stands.

    Args:
        metric: what the search maximises, such as ``val/top1``.
        epochs: of a whole trial.
        confirm_trials: an estimate of the runs the confirm stage will have.
    """

    def __init__(
        self, console: Console, name: str, metric: str, epochs: dict[str, int], trials: dict[str, int]
    ) -> None:
        self.console = console
        self.name = name
        self.metric = metric
        self.epochs = epochs
        self.trials = dict(trials)
        self.stage_name = "starting"
        self.total = self.left = 0
        self.counts: Counter[str] = Counter()
        self.running: dict[str, Record] = {}
        self.best: Record | None = None
        self.paper: float | None = None
        self._arrivals: list[float] = []
        self._stage_epochs = 0
        self._last_line = 0.0
        self._live = (
            Live(console=console, refresh_per_second=2, get_renderable=self._view, transient=True)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Progress:
        if self._live:
            self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        if self._live:
            self._live.__exit__(*error)

    def say(self, text: str) -> None:
        """Print a line above the live view."""
        self.console.print(Text(text), soft_wrap=True)

    def stage(self, name: str, total: int, left: int) -> None:
        """A stage begins."""
        self.stage_name, self.total, self.left = name, total, left
        self.trials[name] = left
        self.counts = Counter(done=total - left)
        self.running = {}
        self._stage_epochs = 0
        known = f", {total - left} of them known" if left < total else ""
        self.say(f"{name}: {total} trials{known}" if total else f"{name}: nothing to do")

    def began(self, job: Job, record: Record) -> None:
        """A trial runs."""
        if record.status == "running":
            self.running[record.key] = record

    def reported(self, record: Record, epoch: int) -> None:
        """An epoch is done."""
        self._arrivals.append(time.monotonic())
        self._stage_epochs += 1
        value = record.final.get(self.metric)
        if record.stage == "search" and value is not None:
            whole = epoch >= record.config["training"]["epochs"]
            if whole and (self.best is None or value > self.best.final[self.metric]):
                self.best = record
        if not self._live and time.monotonic() - self._last_line > LINE_EVERY_S:
            self._line()

    def ended(self, record: Record) -> None:
        """A trial is done, stopped or failed."""
        self.running.pop(record.key, None)
        self.counts[record.status] += 1
        self.left = max(0, self.left - 1)
        self.trials[self.stage_name] = self.left
        if record.status == "failed":
            self.say(f"failed: {record.pair} {record.method} {record.key}: {record.reason}")
        elif not self._live:
            shown = [
                f"{name} {record.final[name]:.2f}"
                for name in (self.metric, "test/top1")
                if name in record.final
            ]
            self.say(
                f"  {record.status:7} {record.stage} {record.pair} {settings(record)}, {len(record.history)} epochs, {', '.join(shown)}"
            )

    def note_paper(self, value: float | None) -> None:
        """The validation value of the paper's configuration, once it is known."""
        self.paper = value if value is not None else self.paper

    @property
    def epochs_per_second(self) -> float:
        """Epochs of all trials together, over the last minute."""
        now = time.monotonic()
        self._arrivals = [t for t in self._arrivals if now - t < SPEED_WINDOW_S]
        return len(self._arrivals) / max(now - self._arrivals[0], 1.0) if len(self._arrivals) > 1 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """A guess from the epochs still to come, at the present speed; None before there is a speed."""
        speed = self.epochs_per_second
        if speed <= 0:
            return None
        ended = self.counts["stopped"] + self.counts["failed"] + self.counts["done"]
        usual = self._stage_epochs / max(ended, 1) if self.stage_name == "search" and ended else None
        todo = 0.0
        for stage, trials in self.trials.items():
            each = self.epochs[stage]
            todo += trials * (min(usual, each) if usual and stage == self.stage_name else each)
        todo -= sum(len(record.history) for record in self.running.values())
        return max(todo, 0.0) / speed

    def _summary(self) -> list[tuple[str, str]]:
        counts = self.counts
        rows = [
            ("stage", self.stage_name),
            (
                "trials",
                f"{counts['done']} done, {len(self.running)} running, {counts['stopped']} stopped, {counts['failed']} failed of {self.total}",
            ),
        ]
        if self.best is not None:
            value = self.best.final[self.metric]
            against = f" (paper's configuration {self.paper:.2f})" if self.paper is not None else ""
            rows.append(
                ("best", f"{self.metric} {value:.2f}{against}: {self.best.pair} {settings(self.best)}")
            )
        left = self.seconds_left
        speed = f"{self.epochs_per_second:.2f} epochs/s"
        rows.append(("speed", speed + (f", about {duration(left)} left" if left is not None else "")))
        return rows

    def _line(self) -> None:
        self._last_line = time.monotonic()
        self.say("; ".join(f"{name} {text}" for name, text in self._summary()))

    def _view(self) -> Group:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column()
        for name, text in self._summary():
            table.add_row(name, Text(text))
        for record in list(self.running.values())[:8]:
            value = record.final.get(self.metric)
            done = f"{len(record.history)}/{record.config['training']['epochs']}"
            table.add_row(
                "  epoch " + done,
                Text(f"{record.pair} {settings(record)}" + (f"  {value:.2f}" if value is not None else "")),
            )
        return Group(Text(f"{self.name}", style="bold"), table)


def settings(record: Record) -> str:
    """The method of a trial with the knobs that matter, in one line."""
    logit = record.config["method"]["logit"]
    if logit is None:
        return record.method
    scales = "{" + ",".join(map(str, logit["scales"])) + "}"
    knobs = f"alpha {logit['alpha']:.3g}"
    return (
        f"{record.method} {scales} {knobs} beta {logit['complementary_weight']:.3g}"
        if record.method.startswith("SD-")
        else f"{record.method} {knobs}"
    )


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
