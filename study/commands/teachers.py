"""File weight files as teachers, by hash: checked against the network, measured where data is at hand."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from study.commands.common import add_results, answer, user_path
from study.errors import DONE, UserError
from study.workspace.locations import Locations, add_store
from trainables.config.data import Data
from trainables.teacher.importing import CLASSES, IMAGE_SIZE, import_teacher

EPILOG = """
examples:
  sdd-study teachers import ckpt_epoch_240.pth --name resnet32x4
  sdd-study teachers list --json

JSON: what is known about the teacher; of list, a list of them: {"name", "weights": hash, "num_classes", ...}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``list`` and ``import`` below ``sdd-study teachers``."""
    commands = parser.add_subparsers(dest="teachers", required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="the teachers of a results folder")
    listing.set_defaults(run_teachers=run_list)
    adding = commands.add_parser(
        "import",
        help="file a weight file as a teacher",
        description="Reads RepDistiller's and mdistiller's files, or any state dict; checks every key.",
    )
    adding.add_argument("file", type=user_path, metavar="FILE")
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
    """Run ``list`` or ``import``, whichever was asked for."""
    code: int = args.run_teachers(args)
    return code


def run_list(args: argparse.Namespace) -> int:
    """Show the teachers of the store: ``sdd-study teachers list``."""
    from study.workspace.folder import StudyFolder

    teachers = StudyFolder(args.results.absolute(), "", Locations.from_arguments(args)).store.teachers()
    none = f"no teacher is filed in {args.results}"
    answer(args, teachers, lambda: "\n".join(map(described, teachers)) or none)
    return DONE


def run_import(args: argparse.Namespace) -> int:
    """File weight files as teachers: ``sdd-study teachers import``."""
    from study.workspace.folder import StudyFolder

    store = StudyFolder(args.results.absolute(), "", Locations.from_arguments(args)).store
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
    """Describe a teacher in one line: hash, network, classes, where it was measured, where it came from."""
    parts = [f"{about['weights'][:12]}  {about['name']}"]
    if "num_classes" in about:
        parts.append(f"{about['num_classes']} classes")
    if (top1 := about.get("test/top1")) is not None:
        parts.append(f"{about['data']} test top-1 {top1:.2f}%")
    origin = about.get("file") or f"trained as {about.get('trial_key', 'unknown')}"
    return ", ".join([*parts, origin])
