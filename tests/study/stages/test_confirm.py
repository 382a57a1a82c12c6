"""The stage confirm, driven without Ray: more seeds where they decide, the same ones after each kill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from study.errors import UserError
from study.journal.journal import Journal
from study.journal.recorder import Recorder
from study.loading import load_space
from study.plan.resolve import resolve
from study.plan.trial import PlannedTrial
from study.stages.confirm import confirm
from study.stages.stage import StageContext
from study.workspace.folder import StudyFolder
from tests.study.driving import TEACHER

Write = Callable[..., Path]


class Launch:
    """One launch of the stage; accuracies come from :func:`accuracy` in place of training."""

    def __init__(self, space: Path, results: Path, *changes: str) -> None:
        plan = resolve(load_space(space, list(changes)))
        folder = StudyFolder(results, "small")
        self.journal = Journal(folder.journal)
        teachers = {pair.label: TEACHER for pair in plan.spec.pairs}
        recorder = Recorder(self.journal, [])
        self.measured: list[str] = []
        tuner = SimpleNamespace(measure_share=lambda config: self.measured.append(config.student))
        self.context = StageContext(plan, folder, cast(Any, tuner), recorder, teachers)

    def run(self, most: float = float("inf")) -> list[str]:
        """Train what the stage gives, killed after ``most`` trials; the keys that were trained, in order."""
        trained: list[str] = []
        for phase in confirm(self.context):
            if phase.before is not None:
                phase.before()
            while len(trained) < most and (planned := phase.source.ask(str(len(trained)))) is not None:
                self.context.recorder.began(planned)
                self.context.recorder.reported(planned, {"epoch": 1, "test/top1": accuracy(planned)})
                self.context.recorder.ended(planned, "done")
                trained.append(planned.key)
            if len(trained) >= most:
                break
        self.journal.close()
        return trained

    @property
    def seeds(self) -> dict[tuple[str, str], list[int]]:
        """The seeds of each student and method."""
        found: dict[tuple[str, str], list[int]] = {}
        for record in self.journal.records.values():
            found.setdefault((record.config["student"], record.method), []).append(record.config["seed"])
        return {about: sorted(of) for about, of in found.items()}


def accuracy(planned: PlannedTrial) -> float:
    """SD-KD is far above KD on wrn_10_1 and hardly on resnet8; all spread by 0.1."""
    gain = {"wrn_10_1": 10.0, "resnet8": 0.3}[planned.config.student] * (planned.method == "SD-KD")
    return 60.0 + gain + ((planned.config.seed * 37 + len(planned.method)) % 11 - 5) * 0.03


@pytest.fixture
def fixed(space: Write) -> Path:
    """A study that compares SD-KD with KD on two pairs, with nothing to search."""
    return space(
        **{
            'base=Choice("kd", "dkd")': 'base="kd"',
            "alpha=LogFloat(0.25, 4)": "alpha=1.0",
            "scales=Choice((1, 2), (1, 2, 4))": "scales=(1, 2)",
        }
    )


def test_more_seeds_go_where_a_comparison_is_open(fixed: Path, tmp_path: Path) -> None:
    changes = ("confirm.at_most=10", "confirm.seeds=3")
    launch = Launch(fixed, tmp_path / "whole", *changes)
    trained = launch.run()
    most = {about: max(seeds) for about, seeds in launch.seeds.items()}
    assert most["wrn_10_1", "KD"] == most["wrn_10_1", "SD-KD"] == 3
    assert most["resnet8", "KD"] == most["resnet8", "SD-KD"] in (5, 8)
    assert len(trained) == len(set(trained)) == sum(most.values())
    assert Launch(fixed, tmp_path / "whole", *changes).run() == [], "nothing is left"

    for kill_after in (5, 13):
        results = tmp_path / f"killed{kill_after}"
        first = Launch(fixed, results, *changes).run(most=kill_after)
        second = Launch(fixed, results, *changes).run()
        assert sorted(first + second) == sorted(trained)


@pytest.mark.parametrize(("share", "measured"), [('"measure"', ["wrn_10_1"]), ("1.0", [])])
def test_a_launch_that_only_confirms_knows_how_many_students_share_a_gpu(
    fixed: Path, tmp_path: Path, share: str, measured: list[str]
) -> None:
    launch = Launch(fixed, tmp_path, "confirm.at_most=10", f"resources.gpus_per_trial={share}")
    launch.run()
    assert launch.measured == measured, "once, of the heaviest student"


def test_at_most_is_where_an_open_comparison_ends_and_may_be_raised_later(
    fixed: Path, tmp_path: Path
) -> None:
    plain = Launch(fixed, tmp_path, "confirm.seeds=2")
    plain.run()
    assert set(map(max, plain.seeds.values())) == {2}
    more = Launch(fixed, tmp_path, "confirm.seeds=2", "confirm.at_most=3")
    assert more.run()
    assert max(more.seeds["resnet8", "SD-KD"]) == 3


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (["confirm.at_most=2", "confirm.seeds=3"], "confirm.at_most: 2 is fewer than the 3 of seeds"),
        (["confirm.at_most=4", "confirm.seeds=1"], "confirm.at_most: needs seeds=2 or more"),
    ],
)
def test_wrong_numbers_of_seeds_are_named(space: Write, changes: list[str], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        load_space(space(), changes)
