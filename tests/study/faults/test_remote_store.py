"""A study in a real S3 store: stopped on one machine, it goes on on another, from the store alone."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests.object_server import BUCKET
from tests.study.faults.killing import Study, reports, same


@pytest.mark.slow
@pytest.mark.ray
def test_another_machine_goes_on_from_the_store(
    s3: dict[str, str], undisturbed: Study, tmp_path: Path
) -> None:
    store = ["--store", f"s3://{BUCKET}/{uuid.uuid4().hex}"]
    first = Study(tmp_path / "first", store, {**s3, "SDD_CACHE": str(tmp_path / "cache of first")})
    launcher = first.start()
    first.wait_for(lambda lines: reports(lines, "search") >= 3, launcher)
    launcher.terminate()
    assert first.end(launcher) == 130, first.printed

    other = Study(tmp_path / "other", store, {**s3, "SDD_CACHE": str(tmp_path / "cache of other")})
    other.trace = first.trace
    assert other.run() == 0, other.printed
    assert f"lines of the journal came from {store[1]}" in other.printed
    assert same(other, undisturbed)
    assert not (tmp_path / "other" / "results" / "_store").exists()
