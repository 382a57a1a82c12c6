"""Teachers from weight files: checked against the network, measured where data is at hand, filed by hash."""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.commands.common import DONE, add_results, answer
from study.errors import UserError
from study.places import Places, add_store
from trainables.config import Data, Teacher, Training
from trainables.store import Store

if TYPE_CHECKING:
    from torch import Tensor

    from trainables.data.dataset import DataSet

State = Mapping[str, "Tensor"]
"""A network's weights by key."""

EPILOG = """
examples:
  sdd-study teachers import ckpt_epoch_240.pth --name resnet32x4
  sdd-study teachers list --json

JSON: what is known about the teacher; of list, a list of them: {"name", "weights": hash, "num_classes", ...}
"""

CLASSES, IMAGE_SIZE = 100, 32
"""CIFAR-100's, which published teacher files are for."""


def read_teacher(file: Path, name: str, num_classes: int, image_size: int) -> State:
    """The weights in ``file``, every key and shape as network ``name`` has them; no object is unpickled.

    Raises:
        ModelError: the file cannot be read, or does not hold this network's weights.
    """
    from trainables import models
    from trainables.models.weights import load_into, load_published

    state = load_published(file)
    load_into(models.build(name, num_classes, image_size=image_size), state)
    return state


def file_teacher(store: Store, name: str, state: State, about: Mapping[str, Any]) -> Teacher:
    """File weights under their hash as teacher ``name``, with what is known ``about`` them."""
    import torch

    from trainables.models.weights import state_sha256

    weights = state_sha256(state)
    buffer = io.BytesIO()
    torch.save({"model": dict(state), "name": name}, buffer)
    store.file_teacher(weights, buffer.getvalue(), {"name": name, "weights": weights, **about})
    return Teacher(name=name, weights=weights)


def import_teacher(
    store: Store,
    file: Path,
    name: str,
    *,
    num_classes: int | None = None,
    image_size: int | None = None,
    data: Data | None = None,
) -> dict[str, Any]:
    """Check, measure where ``data`` is given, and file a teacher; returns what is known about it.

    Classes and image size are those of ``data``, or CIFAR-100's, unless given. Nothing is filed unless all of
    it went well.

    Raises:
        ValueError: ``data`` cannot be read, or the file does not hold such weights of network ``name``.
    """
    loaded = _load(data) if data is not None else None
    classes = num_classes or (loaded.num_classes if loaded else CLASSES)
    size = image_size or (max(loaded.image_size) if loaded else IMAGE_SIZE)
    if loaded is not None and loaded.num_classes != classes:
        raise ValueError(f"the data has {loaded.num_classes} classes, not {classes}")
    state = read_teacher(file, name, classes, size)
    about: dict[str, Any] = {"file": file.name, "num_classes": classes, "image_size": size}
    if data is not None and loaded is not None:
        about |= {"data": data.name, **measure(name, state, loaded)}
    return {"weights": file_teacher(store, name, state, about).weights, "name": name, **about}


def measure(name: str, state: State, data: DataSet) -> dict[str, float]:
    """``test/loss``, ``test/top1`` and ``test/top5`` of a teacher on the test split of ``data``."""
    import torch

    from trainables import models
    from trainables.engine import best_precision, evaluate
    from trainables.finishing import EVALUATION_BATCH
    from trainables.models.weights import load_into

    device = _device()
    network = models.build(name, data.num_classes, image_size=max(data.image_size))
    load_into(network, state)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    training = Training(precision=best_precision(device))
    return evaluate(network, data.test.batches(EVALUATION_BATCH, epoch=None), "test", training, device)


def _load(data: Data) -> DataSet:
    from trainables.data import load

    return load(data, _device())


def _device() -> Any:
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``list`` and ``import`` below ``sdd-study teachers``."""
    commands = parser.add_subparsers(dest="teachers", required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="the teachers of a results folder")
    listing.set_defaults(run_teachers=run_list)
    adding = commands.add_parser(
        "import",
        help="file a weight file as a teacher",
        description="Reads RepDistiller's and mdistiller's files, or any state dict; checks every key.",
    )
    adding.add_argument("file", type=Path, metavar="FILE")
    adding.add_argument("--name", required=True, metavar="NETWORK", help="such as resnet32x4")
    adding.add_argument("--classes", type=int, metavar="K", help=f"classes (the data's, or {CLASSES})")
    adding.add_argument(
        "--image-size", type=int, metavar="PIXELS", help=f"side of its images (the data's, or {IMAGE_SIZE})"
    )
    adding.add_argument("--data", metavar="NAME", help="data set to measure it on, such as cifar100")
    adding.add_argument("--root", metavar="DIR", help="where that data set is")
    adding.set_defaults(run_teachers=run_import)
    for command in (listing, adding):
        add_results(command)
        add_store(command)


def run(args: argparse.Namespace) -> int:
    """``list`` or ``import``."""
    code: int = args.run_teachers(args)
    return code


def run_list(args: argparse.Namespace) -> int:
    """``sdd-study teachers list``."""
    from study.folder import StudyFolder

    teachers = StudyFolder(args.results.absolute(), "", Places.from_arguments(args)).store.teachers()
    none = f"no teacher is filed in {args.results}"
    answer(args, teachers, lambda: "\n".join(map(described, teachers)) or none)
    return DONE


def run_import(args: argparse.Namespace) -> int:
    """``sdd-study teachers import``."""
    from study.folder import StudyFolder

    store = StudyFolder(args.results.absolute(), "", Places.from_arguments(args)).store
    try:
        if args.root is not None and args.data is None:
            raise ValueError("--root: of which data set? add --data NAME")
        data = None if args.data is None else Data(name=args.data, root=args.root)
        about = import_teacher(
            store, args.file, args.name, num_classes=args.classes, image_size=args.image_size, data=data
        )
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from None
    answer(args, about, lambda: described(about))
    return DONE


def described(about: Mapping[str, Any]) -> str:
    """A teacher in one line: hash, network, classes, where it was measured, where it came from."""
    parts = [f"{about['weights'][:12]}  {about['name']}"]
    if "num_classes" in about:
        parts.append(f"{about['num_classes']} classes")
    if (top1 := about.get("test/top1")) is not None:
        parts.append(f"{about['data']} test top-1 {top1:.2f}%")
    origin = about.get("file") or f"trained as {about.get('trial_key', 'unknown')}"
    return ", ".join([*parts, origin])
