"""A made study's report, written once for the tests that look at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.report.write import report_studies
from tests.study.report.made import search, write_folder
from tests.study.report.test_grids import PAIR, records


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with the study ``made``; tests may add studies."""
    path = tmp_path_factory.mktemp("made") / "results"
    kept = {item.key: item for item in [*records(), *search(PAIR, 9)]}
    write_folder(path, "made", kept.values())
    return path


@pytest.fixture(scope="session")
def reported(results: Path) -> Path:
    """The folder of its report."""
    report_studies(["made"], results, None, results.parent / "out", networks=False)
    return results.parent / "out"
