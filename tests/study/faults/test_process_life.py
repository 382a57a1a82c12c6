"""Ends a trial's process at each moment of its life; the launch goes on by itself as if nothing had been.

Spot nodes and short memory end processes without a word, whatever they are at.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.study.faults.killing import SPACE, Study, same

SMALL = SPACE.replace("epochs=6", "epochs=3").replace("trials=4", "trials=2")

MOMENTS = (
    "spawned",
    "while it imports",
    "before the first report",
    "while it saves",
    "between a save and its report",
    "in a report",
    "before its result is filed",
    "before its last report",
    "after its last report",
    "when its trial has ended",
    "when it is given its next trial",
)


@pytest.fixture(scope="module")
def in_peace(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = Study(tmp_path_factory.mktemp("in_peace"), space=SMALL)
    assert study.run() == 0, study.printed
    return study


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_launch_outlives_the_loss_of_a_process_at_any_moment(
    moment: str, in_peace: Study, tmp_path: Path
) -> None:
    died = tmp_path / "died"
    study = Study(tmp_path / "study", space=SMALL, environment={"SDD_DIE_AT": moment, "SDD_DIED": str(died)})
    assert study.run() == 0, study.printed
    assert died.exists(), "no process came to this moment"
    assert "(raylet)" not in study.printed, "Ray tells of it too"
    assert same(study, in_peace)
