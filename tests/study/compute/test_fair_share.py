"""Two studies on one Ray cluster: the one that comes later has its part as soon as trials end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from study.compute.fair_share import LOOK_EVERY_S
from tests.study.faults.killing import ROOT, SPACE, Line, Study, reports
from tests.study.head import OPEN, head

UNTRACED = {**OPEN, "PYTHONPATH": str(ROOT)}
"""The cluster's workers are not the launcher's, and do not know what traces those."""
TRIALS = SPACE.replace("trials=4", "trials=12").replace("best=1, paper=False, seeds=1", "best=0, paper=False")


@pytest.fixture
def cluster() -> Iterator[str]:
    """A Ray of two cores that belongs to nobody."""
    with head(cpus=2) as found:
        yield found.address


def running(lines: list[Line], when: float) -> int:
    """Trials of a study that ran at some time."""
    begun = sum(line["type"] == "trial" and line["time"] <= when for line in lines)
    return begun - sum(line["type"] == "end" and line["time"] <= when for line in lines)


@pytest.mark.slow
@pytest.mark.ray
def test_two_studies_have_half_of_a_cluster_each(cluster: str, tmp_path: Path) -> None:
    first, second = (
        Study(tmp_path / name, ["--address", cluster, "--stages", "teachers,search"], UNTRACED, TRIALS)
        for name in ("first", "second")
    )
    launchers = [first.start()]
    first.wait_for(lambda lines: reports(lines, "search") >= 1, launchers[0])
    launchers.append(second.start())
    for study, launcher in zip((first, second), launchers, strict=True):
        assert study.end(launcher) == 0, study.printed
    here = min(line["time"] for line in second.journal if line["type"] == "report")
    gone = max(line["time"] for line in first.journal if line["type"] == "end")
    assert here < gone - 2 * LOOK_EVERY_S, "the second has waited for the first to be through"
    begun = [line["time"] for line in first.journal if line["type"] == "trial" and line["time"] > here]
    assert begun
    assert max(running(first.journal, when) for when in begun) == 1, "the first keeps to its half"
    alone = [when for line in second.journal if (when := line["time"]) > gone + LOOK_EVERY_S]
    assert max((running(second.journal, when) for when in alone), default=2) == 2, "what is free is used"
