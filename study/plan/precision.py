"""Keeps what ``auto`` precision came to: decided by the devices there are when a study begins.

STORE/studies/<study>/precision.json

A trial's key holds its precision: a study that goes on where the devices are others (a fleet that comes back
with older GPUs, a colleague's machine) would know none of its trials if it were decided anew.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, get_args

from study.errors import LocationError
from trainables.storage.blobs import StorageError
from trainables.storage.files import to_json

if TYPE_CHECKING:
    from study.spec.study import StudySpec
    from study.workspace.folder import StudyFolder
    from trainables.config.training import Training
    from trainables.engine.device import Precision


def left_open(spec: StudySpec) -> dict[str, Training]:
    """Return those of the spec's trainings whose precision is ``auto``, by field."""
    given = {name: getattr(spec, name) for name in ("training", "teacher_training")}
    return {name: training for name, training in given.items() if training and training.precision == "auto"}


def decided(spec: StudySpec, precision: Precision) -> StudySpec:
    """Return ``spec`` with ``precision`` in the place of ``auto``."""
    fields = {
        name: dataclasses.replace(training, precision=precision) for name, training in left_open(spec).items()
    }
    return dataclasses.replace(spec, **fields)  # type: ignore[arg-type]


def kept(folder: StudyFolder) -> Precision | None:
    """Return what ``auto`` came to when the study began; None before that.

    Raises:
        LocationError: the store cannot be read.
    """
    from trainables.engine.device import Precision

    try:
        found: Precision = json.loads(folder.store.storage.read(_name(folder)))["precision"]
    except StorageError as error:
        raise LocationError(f"--store: {error}") from None
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
    return found if found in get_args(Precision) else None


def keep(folder: StudyFolder, precision: Precision) -> None:
    """Write ``precision`` where later launches find it."""
    if kept(folder) != precision:
        folder.store.storage.write(_name(folder), to_json({"precision": precision}))


def _name(folder: StudyFolder) -> str:
    return f"studies/{folder.name}/precision.json"
