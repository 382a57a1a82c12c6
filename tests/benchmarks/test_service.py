"""The benchmarks of the service: reports and a head's work quickly, what starts Ray with the slow tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import nodes, overhead, reports, scale, study
from benchmarks.machine import save


def test_reports_replayed_at_a_rate_all_arrive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = reports.parser().parse_args(["--rate=40", "--seconds=1", "--trials=4"])
    result = reports.run(asked)["results"]
    assert result["reports"] == result["in MLflow at the end"] == 40
    assert result["late, worst s"] > 0
    assert "in MLflow at the end" in capsys.readouterr().out


def test_a_head_s_work_for_trials_and_reports(tmp_path: Path) -> None:
    path = tmp_path / "scale.json"
    asked = scale.parser().parse_args(["--trials=4", "--epochs=2", "--span=2", "--every=4"])
    save(path, scale.run(asked))
    first, second = json.loads(path.read_text())["spans"]
    assert (first["trials_before"], second["trials_before"]) == (0, 2)
    assert first["MLflow, a trial"]["wall_ms"] > first["journal line"]["wall_ms"] > 0
    assert "MLflow, a trial" not in second


@pytest.mark.slow
def test_overhead(tmp_path: Path) -> None:
    path = tmp_path / "overhead.json"
    overhead.run(overhead.parser().parse_args(f"--trials 3 --finished 4 --epochs 2 --json {path}".split()))
    result = json.loads(path.read_text())["results"]
    assert result["start, s"] > result["next (fresh), s"] > result["next (warm), s"] > 0
    assert 0 < result["launcher, GiB"] < 2


@pytest.mark.slow
def test_trials_beside_a_plain_loop(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    study.run(study.parser().parse_args(f"--trials 2 --scenes 100 --epochs 1 --json {path}".split()))
    (row,) = json.loads(path.read_text())["results"]
    assert all(row[f"{way}, s"] > 0 for way in study.WAYS)


@pytest.mark.slow
def test_nodes(tmp_path: Path) -> None:
    path = tmp_path / "nodes.json"
    options = f"--nodes 1 2 --study 2 --trials 3 --idle 2 --settle 1 --json {path}"
    nodes.run(nodes.parser().parse_args(options.split()))
    result = json.loads(path.read_text())
    assert [row["nodes"] for row in result["results"]] == [1, 2]
    assert result["results"][1]["gcs_server, cores"] > 0
    assert result["study"]["trials"] == 3
