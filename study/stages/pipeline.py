"""Runs the stages teachers -> search -> confirm; each does what is not yet done, whenever it is called."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from study.stages.confirm import confirm
from study.stages.search import search
from study.stages.stage import StageContext
from study.stages.teachers import train_teachers
from study.tune.phases import Phase


def run_stages(context: StageContext, names: Collection[str]) -> None:
    """Run the named ones of teachers, search and confirm; trained teachers are found, not trained again."""
    context.tuner.run(_phases(context, names))


def _phases(context: StageContext, names: Collection[str]) -> Iterator[Phase]:
    """Yield the phases of the named stages; between them, do what their results ask for."""
    if set(names) & {"teachers", "search", "confirm"}:
        yield from train_teachers(context)
    if "search" in names:
        yield from search(context)
    if "confirm" in names:
        yield from confirm(context)
