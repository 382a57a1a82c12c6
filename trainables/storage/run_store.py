"""Files runs and teachers by what they are, so that every study finds what any other has done.

STORE/runs/<trial_key>/   config.json  checkpoint-<epoch>.pt (the newest two)  student-<hash>.pt  result.json
STORE/teachers/<sha256>.pt, .json         weights and what they are, filed under the hash of the weights
STORE/teachers/<sha256>.views/            its outputs, cached; see ``trainables/teacher/cache.py``

STORE is any :mod:`trainables.storage`. In a folder one process at a time holds a run. In an object store two
may: a launcher's host is cut off, another launcher runs the trial again, and the first host goes on writing.
Nothing is lost by it, since a trial's numbers follow from its key: a checkpoint is named by its epoch, so
that a late one does not take the place of a newer one, and is dropped as the oldest; a student is named by
the hash of its weights, and ``result.json``, written last, names the one that belongs to its numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.config.trial import TrialConfig
from trainables.storage.blobs import BlobStorage
from trainables.storage.files import to_json
from trainables.storage.opening import open_storage

CHECKPOINT = re.compile(r"checkpoint-(\d+)\.pt")
KEPT_CHECKPOINTS = 2


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Reads and writes the files of one trial: its configuration, checkpoints, student and result.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     run = RunStore(root).run("9cdc55107ded21d3")
    ...     for epoch in (1, 2, 3):
    ...         run.write_checkpoint(epoch, b"state")
    ...     run.checkpoints(), run.result()
    (['checkpoint-000003.pt', 'checkpoint-000002.pt'], None)
    """

    storage: BlobStorage
    name: str

    def student(self) -> Path:
        """Return the file of the trained student: ``{"model": state_dict, "name": ..., "num_classes": ...}``.

        A file of this machine, fetched where the store is elsewhere; it is there once the run is finished.
        """
        return self.storage.local(f"{self.name}/{(self.result() or {}).get('student', 'student.pt')}")

    def result(self) -> dict[str, Any] | None:
        """Return the trial record of a finished run; None before that.

        It holds the configuration, metrics of every epoch, and the hash of the weights.
        """
        result: dict[str, Any] | None = self._read_json("result.json")
        return result

    def finish(self, result: Mapping[str, Any], student: bytes) -> dict[str, Any]:
        """File the student and the trial record that makes the run finished; drop its checkpoints."""
        name = f"student-{result['weights'][:16]}.pt"
        self.storage.write(f"{self.name}/{name}", student)
        record = {**result, "student": name}
        self.storage.write(f"{self.name}/result.json", to_json(record))
        for checkpoint in self.checkpoints():
            self.drop_checkpoint(checkpoint)
        return record

    def checkpoints(self) -> list[str]:
        """Return the names of the checkpoints, that of the latest epoch first."""
        return [name for name in reversed(self.storage.names(self.name)) if CHECKPOINT.fullmatch(name)]

    def read_checkpoint(self, name: str) -> bytes:
        """Return the content of one of :meth:`checkpoints`."""
        return self.storage.read(f"{self.name}/{name}")

    def write_checkpoint(self, epoch: int, data: bytes) -> None:
        """Keep the state after ``epoch``, and then no more than the newest two.

        The order is what makes a crash harmless: at every moment there is a whole checkpoint.
        """
        self.storage.write(f"{self.name}/checkpoint-{epoch:06d}.pt", data)
        for name in self.checkpoints()[KEPT_CHECKPOINTS:]:
            self.drop_checkpoint(name)

    def drop_checkpoint(self, name: str) -> None:
        """Delete one of :meth:`checkpoints`."""
        self.storage.delete(f"{self.name}/{name}")

    def lock(self) -> AbstractContextManager[None]:
        """Hold the folder where the storage can; another process that runs the same key waits."""
        return self.storage.lock(self.name)

    def file_config(self, config: TrialConfig) -> None:
        """File the resolved configuration, once."""
        if not self.storage.exists(f"{self.name}/config.json"):
            self.storage.write(f"{self.name}/config.json", to_json(config.to_dict()))

    def _read_json(self, name: str) -> Any | None:
        try:
            return json.loads(self.storage.read(f"{self.name}/{name}"))
        except (FileNotFoundError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class RunStore:
    """Files runs and teachers under one root, shared by the studies that use it.

    >>> RunStore("/data/results/_store").run("9cdc55107ded21d3").name
    'runs/9cdc55107ded21d3'

    Attributes:
        root: a folder, or the URL of an object store.
    """

    root: Path | str

    @property
    def storage(self) -> BlobStorage:
        """Storage of the blobs; raises ``StorageError`` if it cannot be opened."""
        return open_storage(self.root)

    def run(self, key: str) -> RunFolder:
        """Return the folder of trial ``key``; nothing is created."""
        return RunFolder(self.storage, f"runs/{key}")

    @contextmanager
    def open_run(self, config: TrialConfig) -> Iterator[RunFolder]:
        """Hold the folder of ``config``, with its resolved configuration in it; see :meth:`RunFolder.lock`.

        All that is written to a run's folder is written by who holds it: who takes it next deletes the
        temporary files that it finds there.
        """
        folder = self.run(config.trial_key)
        with folder.lock():
            folder.file_config(config)
            yield folder

    def teacher(self, weights: str) -> Path:
        """Return the file, on this machine, of the teacher whose weights hash to ``weights``."""
        return self.storage.local(f"teachers/{weights}.pt")

    def teacher_views(self, weights: str) -> Path:
        """Return the folder, local or mounted, of what that teacher said of augmented views."""
        return self.storage.scratch(f"teachers/{weights}.views")

    def file_teacher(self, weights: str, data: bytes, about: Mapping[str, Any]) -> Path:
        """File a teacher's weights file under their hash, with what is known ``about`` them beside it."""
        if not self.storage.exists(f"teachers/{weights}.pt"):
            self.storage.write(f"teachers/{weights}.pt", data)
        known = self._about(f"{weights}.json") or {}
        self.storage.write(f"teachers/{weights}.json", to_json({**known, **about}))
        return self.teacher(weights)

    def teachers(self) -> list[dict[str, Any]]:
        """Return what is known about each filed teacher."""
        names = [name for name in self.storage.names("teachers") if name.endswith(".json")]
        return [about for name in names if (about := self._about(name)) is not None]

    def _about(self, name: str) -> dict[str, Any] | None:
        try:
            about: dict[str, Any] = json.loads(self.storage.read(f"teachers/{name}"))
        except (FileNotFoundError, ValueError):
            return None
        return about
