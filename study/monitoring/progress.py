"""Shows the user where a study stands while it runs: one live view in a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from study.journal.labels import settings
from study.journal.record import TrialRecord
from study.journal.recorder import TrialObserver
from study.monitoring.eta import TEACHERS, epochs_left, left_of, recent, speed
from study.monitoring.labels import duration
from study.plan.expected import ExpectedTrials
from study.plan.trial import StageName

log = logging.getLogger(__name__)

LINE_EVERY_S = 15.0


class ProgressDisplay(TrialObserver):
    """Shows where a study stands while it runs.

    >>> expected = ExpectedTrials(epochs={"search": 240}, trials={"search": 40})
    >>> with ProgressDisplay(Console(force_terminal=False), "first", "val/top1", expected) as display:
    ...     display.stage("search", total=40, left=12)
    >>> display.left, display.seconds_left
    (12, None)

    Args:
        metric: what the search maximises, such as ``val/top1``.
        records: the study's trials by key, those of earlier launches included.
    """

    def __init__(
        self,
        console: Console,
        name: str,
        metric: str,
        expected: ExpectedTrials,
        records: Mapping[str, TrialRecord] | None = None,
    ) -> None:
        self.console = console
        self.name = name
        self.metric = metric
        self.expected = expected
        self._records = {} if records is None else records
        self.trials = dict(expected.trials)
        self.stage_name = "starting"
        self.total = self.left = 0
        self.counts: Counter[str] = Counter()
        self.running: dict[str, TrialRecord] = {}
        self.best: TrialRecord | None = None
        self.paper: dict[str, float] = {}
        self._arrivals: list[float] = []
        self._stage_epochs = self._stage_ended = 0
        self._last_line = 0.0
        self._live = (
            Live(console=console, refresh_per_second=2, get_renderable=self._view, transient=True)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> ProgressDisplay:
        if self._live:
            self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        if self._live:
            self._live.__exit__(*error)

    def stage(self, name: StageName, total: int, left: int) -> None:
        """Show a stage that begins, count its trials anew, and look at what earlier launches found."""
        if self.stage_name == TEACHERS:
            self._arrivals = []  # epochs of other networks
        self.stage_name, self.total, self.left = name, total, left
        self.trials[name] = left
        earlier = [record for record in self._records.values() if record.stage == name]
        stopped = sum(record.status == "stopped" for record in earlier)
        self.counts = Counter(done=max(total - left - stopped, 0), stopped=stopped)
        for record in earlier:
            self._compare(record, len(record.history))
        self.running = {}
        self._stage_epochs = self._stage_ended = 0
        known = f", {total - left} of them known" if left < total else ""
        log.info(f"{name}: {total} trials{known}" if total else f"{name}: nothing to do")

    def began(self, record: TrialRecord) -> None:
        """Show a trial that runs."""
        if record.status == "running":
            self.running[record.key] = record

    def reported(self, record: TrialRecord, epoch: int) -> None:
        """Count an epoch, and take note of a trial that is the best now."""
        self._arrivals.append(time.monotonic())
        self._stage_epochs += 1
        self._compare(record, epoch)
        if not self._live and time.monotonic() - self._last_line > LINE_EVERY_S:
            self._line()

    def _compare(self, record: TrialRecord, epoch: int) -> None:
        """Keep a whole trial of the search if it is the best, and what the paper's configuration reached."""
        value = record.final.get(self.metric)
        if record.stage != "search" or value is None or epoch < record.trial.training.epochs:
            return
        if record.role == "paper":
            self.paper[record.pair] = value
        if self.best is None or value > self.best.final[self.metric]:
            self.best = record

    def remarked(self, record: TrialRecord, text: str) -> None:
        """Print what went wrong in a trial and was mended."""
        log.warning(f"{record.stage} {record.pair} {record.method} {record.key}: {text}")

    def ended(self, record: TrialRecord) -> None:
        """Count a trial that is done, stopped or failed, and print how it ended."""
        self.running.pop(record.key, None)
        self.counts[record.status] += 1
        self._stage_ended += 1
        self.left = max(0, self.left - 1)
        self.trials[self.stage_name] = self.left
        if record.status == "failed":
            log.warning(f"failed: {record.pair} {record.method} {record.key}: {record.reason}")
        else:
            names = (self.metric, "test/top1")
            values = [f"{name} {record.final[name]:.2f}" for name in names if name in record.final]
            said = [
                f"{record.stage} {record.pair} {settings(record)}",
                f"{len(record.history)} epochs",
                *values,
            ]
            level = logging.DEBUG if self._live else logging.INFO  # the live view shows it
            log.log(level, f"  {record.status:7} {', '.join(said)}")

    @property
    def epochs_per_second(self) -> float:
        """Epochs a second of all trials together, over the last minute or so."""
        now = time.monotonic()
        self._arrivals = list(recent(self._arrivals, now))
        return speed(self._arrivals, now)

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the study, or its teachers, are done, by the epochs left; None without a speed."""
        fast = self.epochs_per_second
        if fast <= 0:
            return None
        ended = self._stage_ended
        usual = self._stage_epochs / ended if self.stage_name == "search" and ended else None
        running = sum(len(record.history) for record in self.running.values())
        return epochs_left(self.expected, self.trials, self.stage_name, usual, running) / fast

    def _summary(self) -> list[tuple[str, str]]:
        counts = {"running": len(self.running), **{name: self.counts[name] for name in ("stopped", "failed")}}
        others = ", ".join(f"{number} {name}" for name, number in counts.items())
        rows = [
            ("stage", self.stage_name),
            ("trials", f"{self.counts['done']} done, {others} of {self.total}"),
        ]
        if self.best is not None:
            paper = self.paper.get(self.best.pair)
            against = "" if paper is None else f" (the paper's configuration: {paper:.2f})"
            value = f"{self.metric} {self.best.final[self.metric]:.2f}{against}"
            rows.append(("best", f"{value}: {self.best.pair} {settings(self.best)}"))
        left = self.seconds_left
        fast = f"{self.epochs_per_second:.2f} epochs/s"
        if left is not None:
            fast += f", about {duration(left)} {left_of(self.stage_name)}"
        rows.append(("speed", fast))
        return rows

    def _line(self) -> None:
        self._last_line = time.monotonic()
        log.info("; ".join(f"{name} {text}" for name, text in self._summary()))

    def _view(self) -> Group:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column()
        for name, text in self._summary():
            table.add_row(name, Text(text))
        for record in list(self.running.values())[:8]:
            value = record.final.get(self.metric)
            done = f"  epoch {len(record.history)}/{record.trial.training.epochs}"
            now = "" if value is None else f"  {value:.2f}"
            table.add_row(done, Text(f"{record.pair} {settings(record)}{now}"))
        return Group(Text(f"{self.name}", style="bold"), table)
