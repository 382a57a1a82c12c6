"""One launcher a study where launchers share a store, not a folder; on a folder and on a real S3 server."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from study.errors import StudyBusy
from study.workspace import lease as module
from study.workspace.lease import Lease, database_lock
from tests.object_server import BUCKET
from trainables.storage.blobs import BlobStorage
from trainables.storage.opening import open_storage


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_S", 0.1)
    monkeypatch.setattr(module, "SETTLE_S", 0.1)


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStorage:
    if request.param == "folder":
        return open_storage(tmp_path / "store")
    request.getfixturevalue("s3")
    return open_storage(f"s3://{BUCKET}/{uuid.uuid4().hex}")


def no(reason: str) -> None:
    raise AssertionError(reason)


def test_a_second_launcher_is_refused_until_the_first_has_left(storage: BlobStorage) -> None:
    with Lease(storage, "mine").held(no):
        with pytest.raises(StudyBusy, match=r"heard of \d+ s ago"), Lease(storage, "mine").held(no):
            pass
        with Lease(storage, "another").held(no):
            pass
    with Lease(storage, "mine").held(no):
        pass
    assert storage.names("studies/mine") == []


HOLD = """
import sys, time
from study.workspace.lease import Lease
from trainables.storage.opening import open_storage
with Lease(open_storage(sys.argv[1]), "mine").held(print):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_launcher_of_this_machine_lets_go_at_once(storage: BlobStorage) -> None:
    command = [sys.executable, "-c", HOLD, storage.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(StudyBusy, match=f"process {other.pid}"), Lease(storage, "mine").held(no):
            pass
        other.kill()
        other.wait()
    with Lease(storage, "mine").held(no):
        pass


def test_a_lost_machines_lease_runs_out_and_its_launcher_stops_when_it_comes_back(
    storage: BlobStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BEAT_S", 1.0)  # rare against the time a read and a write take
    lost, told = threading.Event(), []
    first = Lease(storage, "mine")
    with first.held(lambda reason: (told.append(reason), lost.set())):  # type: ignore[func-returns-value]
        monkeypatch.setattr(module, "LIFE_S", 0.0)  # as if it had been silent for longer
        with Lease(storage, "mine").held(no):
            assert lost.wait(20)
            time.sleep(0.3)
            assert storage.exists("studies/mine/launcher.json")
    assert told == ["study 'mine' was taken over by another launcher"]


def test_of_two_that_begin_together_one_has_it(storage: BlobStorage) -> None:
    got: list[str] = []

    def launch() -> None:
        try:
            with Lease(storage, "mine").held(lambda reason: None):
                got.append("held")
                time.sleep(1)
        except StudyBusy:
            got.append("refused")

    threads = [threading.Thread(target=launch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == ["held", "refused", "refused"]


def test_a_database_in_a_file_has_no_lock_of_its_own(tmp_path: Path) -> None:
    with (
        database_lock(f"sqlite:///{tmp_path}/o.db", "mine"),
        database_lock(f"sqlite:///{tmp_path}/o.db", "mine"),
    ):
        pass
