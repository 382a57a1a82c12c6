"""A disk that is full for real (a small tmpfs): one clear line, nothing torn, and the study goes on later."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.errors import StudyHalted
from study.journal.journal import Journal, read_lines, read_records
from study.plan.trial import PlannedTrial
from tests.study.faults.killing import Study, reports, same
from trainables.config import Data, TrialConfig
from trainables.storage.blobs import StorageError
from trainables.storage.folder import FolderStorage


class Disk:
    """A small file system."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        if os.getuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("needs to mount a small tmpfs, as root")

    def fill(self) -> None:
        """Leave no room."""
        with (self.folder / "filler").open("wb", buffering=0) as file:
            for size in (1 << 16, 1 << 10, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    continue

    def free(self) -> None:
        """Make room again."""
        (self.folder / "filler").unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk", 64)
    yield made
    subprocess.run(["umount", "-l", str(made.folder)], check=True)


def job(seed: int) -> PlannedTrial:
    config = TrialConfig(data=Data(name="packed"), student="resnet8", seed=seed)
    return PlannedTrial(config, "search", "a-b", "SD-KD")


def report_many(journal: Journal) -> None:
    for epoch in range(1, 1000):
        journal.report(job(0).key, {"epoch": epoch, "val/top1": 1.0})


def test_the_journal_keeps_whole_lines_and_goes_on_when_there_is_room(disk: Disk) -> None:
    path = disk.folder / "mine" / "journal.jsonl"
    journal = Journal(path)
    journal.begin(job(0))
    disk.fill()
    full = r"cannot write .*journal\.jsonl: No space left on device"
    with pytest.raises(StudyHalted, match=full):
        report_many(journal)  # a block of the file has room for some
    epoch = len(journal.records[job(0).key].history) + 1
    assert epoch > 1
    assert path.read_bytes().endswith(b"}\n")
    disk.free()
    journal.report(job(0).key, {"epoch": epoch, "val/top1": 1.0})
    journal.close()
    assert len(read_records(path)[job(0).key].history) == epoch
    assert len(list(read_lines(path))) == epoch + 1


def test_a_store_keeps_what_it_had(disk: Disk) -> None:
    storage = FolderStorage(disk.folder / "store")
    storage.write("runs/a", b"old")
    disk.fill()
    with pytest.raises(StorageError, match=r"cannot write .*runs/a: No space left on device"):
        storage.write("runs/a", b"new" * 100_000)
    assert storage.read("runs/a") == b"old"
    assert storage.names("runs") == ["a"]
    disk.free()
    storage.write("runs/a", b"new")
    assert storage.read("runs/a") == b"new"


@pytest.mark.slow
@pytest.mark.ray
def test_a_study_on_a_full_disk_stops_in_one_line_and_goes_on(
    disk: Disk, undisturbed: Study, tmp_path: Path
) -> None:
    study = Study(disk.folder / "study")
    study.trace = tmp_path / "trace"
    launcher = study.start()
    study.wait_for(lambda lines: reports(lines, "search") >= 2, launcher)
    disk.fill()
    assert study.end(launcher) == 130, study.printed
    assert "No space left on device; nothing is lost. Go on with:" in study.printed
    disk.free()
    assert study.run() == 0, study.printed
    assert same(study, undisturbed)
