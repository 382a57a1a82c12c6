"""One contract, every storage: a folder, and a real S3 server."""

from __future__ import annotations

import itertools
import os
import random
import resource
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from tests.object_server import BUCKET
from trainables.config import Data, TrialConfig
from trainables.storage import object_store
from trainables.storage.blobs import BlobStorage, StorageError
from trainables.storage.folder import FolderStorage
from trainables.storage.opening import open_storage, probe
from trainables.storage.run_store import RunStore


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "folder":
        return str(tmp_path / "store")
    request.getfixturevalue("s3")
    monkeypatch.setenv("SDD_CACHE", str(tmp_path / "cache"))
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"


@pytest.fixture
def storage(url: str) -> BlobStorage:
    return open_storage(url)


def test_what_is_written_is_read_listed_replaced_and_deleted(storage: BlobStorage) -> None:
    assert storage.names("a") == []
    assert not storage.exists("a/one")
    with pytest.raises(FileNotFoundError):
        storage.read("a/one")
    storage.write("a/two", b"2")
    storage.write("a/one", b"")
    storage.write("a/one", b"1" * 100_000)
    storage.write("a/below/three", b"3")
    assert storage.read("a/one") == b"1" * 100_000
    assert storage.read("a/two") == b"2"
    assert storage.names("a") == ["one", "two"]
    assert storage.exists("a/one")
    assert not storage.exists("a")
    storage.delete("a/one")
    storage.delete("a/one")
    assert storage.names("a") == ["two"]
    probe(storage)
    assert storage.names("") == []


def test_it_is_opened_again_by_its_url(url: str, storage: BlobStorage) -> None:
    storage.write("a", b"here")
    assert open_storage(storage.url).read("a") == b"here"
    assert storage.url == url


def test_a_local_file_is_there_when_the_blob_is(storage: BlobStorage) -> None:
    assert not storage.local("t/x.pt").exists()
    storage.write("t/x.pt", b"weights")
    assert storage.local("t/x.pt").read_bytes() == b"weights"
    assert storage.local("t/x.pt").suffix == ".pt"


def content_of(number: int) -> bytes:
    """Another one for each of 256 numbers, and of another length."""
    return bytes([number]) * (2_000_000 + 4_000 * number)


def write_for_ever(url: str, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    storage = open_storage(url)
    for number in itertools.count():
        with suppress(KeyboardInterrupt):
            storage.write("a", content_of(number * 7 % 256))
            time.sleep(0.02)


@contextmanager
def writing(storage: BlobStorage) -> Iterator[int]:
    """Another process, of this number, writes one blob again and again, and is killed in the midst of it."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    writer = get_context("spawn").Process(target=write_for_ever, args=(storage.url, kept))
    writer.start()
    while not storage.exists("a"):
        assert writer.is_alive()
    assert writer.pid is not None
    try:
        yield writer.pid
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()


def test_a_blob_that_is_replaced_while_it_is_read_is_whole(storage: BlobStorage) -> None:
    seen, end = set(), time.monotonic() + 60
    with writing(storage):
        while len(seen) < 20:
            assert time.monotonic() < end
            content = storage.read("a")
            assert content == content_of(content[0])
            seen.add(content[0])


def test_a_writer_that_is_interrupted_leaves_a_whole_blob(url: str) -> None:
    """In one request there is hardly a moment for it; with three there is."""
    storage = open_storage(url if url.startswith("/") else f"{url}?allow_delayed_open=false")
    with writing(storage) as writer:
        for _ in range(50):
            time.sleep(0.02 * random.random())
            os.kill(writer, signal.SIGINT)
            content = storage.read("a")
            assert content == content_of(content[0])


def test_a_writer_that_is_killed_leaves_a_whole_blob(storage: BlobStorage) -> None:
    for delay in (0.05, 0.2):
        with writing(storage):
            time.sleep(delay)
        content = storage.read("a")
        assert content == content_of(content[0])
    assert storage.names("") == ["a"]


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("s3://bucket/a", "s3://bucket/a?allow_delayed_open=true"),
        ("s3://bucket?scheme=http", "s3://bucket?scheme=http&allow_delayed_open=true"),
        ("s3://bucket?allow_delayed_open=false", "s3://bucket?allow_delayed_open=false"),
        ("gs://bucket/a", "gs://bucket/a"),
    ],
)
def test_small_objects_are_uploaded_in_one_request(url: str, opened: str) -> None:
    assert object_store.in_one_put(url) == opened


def run_config() -> TrialConfig:
    return TrialConfig(data=Data(name="packed"), student="resnet8")


def test_a_late_writer_loses_no_epoch(url: str) -> None:
    """A host that was cut off goes on with old epochs while another one is further."""
    key = run_config().trial_key
    with RunStore(url).open_run(run_config()) as here:
        assert here.name == f"runs/{key}"
    late = RunStore(url).run(key)
    for epoch in (1, 2, 3):
        here.write_checkpoint(epoch, b"here %d" % epoch)
    late.write_checkpoint(1, b"late 1")
    assert here.checkpoints() == ["checkpoint-000003.pt", "checkpoint-000002.pt"]
    late.write_checkpoint(2, b"late 2")
    assert here.read_checkpoint(here.checkpoints()[0]) == b"here 3"
    record = here.finish({"weights": "a" * 64}, b"student here")
    late.storage.write(f"{late.name}/student-{'b' * 16}.pt", b"student late")  # finishing, cut off again
    assert here.checkpoints() == []
    assert here.result() == record
    assert here.student().read_bytes() == b"student here"


def test_teachers_are_filed_and_known_again(url: str) -> None:
    store = RunStore(url)
    file = store.file_teacher("c" * 64, b"weights", {"name": "resnet8"})
    assert file.read_bytes() == b"weights"
    store.file_teacher("c" * 64, b"weights", {"test/top1": 70.0})
    assert RunStore(url).teachers() == [{"name": "resnet8", "test/top1": 70.0}]


def test_views_are_kept_on_this_machine(url: str, tmp_path: Path) -> None:
    assert RunStore(url).teacher_views("c" * 64).is_relative_to(tmp_path)


def test_a_key_is_held_by_one_process_where_there_are_locks(tmp_path: Path) -> None:
    folder = RunStore(tmp_path).run("k")
    code = """
import sys
from trainables.storage.run_store import RunStore
with RunStore(sys.argv[1]).run("k").lock():
    print("got")
"""
    with folder.lock():
        other = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        with pytest.raises(subprocess.TimeoutExpired):
            other.communicate(timeout=3)
    assert other.communicate(timeout=60)[0].strip() == b"got"


def at_most(size: int) -> Callable[[], Any]:
    """Files of this process cannot grow beyond ``size`` bytes: what a full disk looks like from inside."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_a_write_that_does_not_fit_keeps_the_old_content(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    storage.write("a", b"old")
    code = """
import sys
from pathlib import Path
from trainables.storage.folder import FolderStorage
from trainables.storage.blobs import StorageError
try:
    FolderStorage(Path(sys.argv[1])).write("a", b"x" * 100_000)
except StorageError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        preexec_fn=at_most(50_000),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"cannot write {tmp_path / 'a'}: File too large\n"
    assert storage.read("a") == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("where", "part"),
    [("nowhere://bucket/x", "cannot open nowhere://"), ("s3://no-such-bucket-here/x", "no-such-bucket-here")],
)
def test_a_place_that_cannot_be_reached_is_named(
    where: str, part: str, s3: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "WAITS_S", ())
    with pytest.raises(StorageError, match=part) as caught:
        probe(open_storage(where))
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write .*file/below"):
        probe(open_storage(tmp_path / "file" / "below"))
