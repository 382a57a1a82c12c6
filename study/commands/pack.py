"""Pack a set of image files into one file of smaller images, which studies read many times faster."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from functools import reduce
from pathlib import Path
from typing import Any

from rich.console import Console

from study.commands.common import answer, user_path
from study.commands.file_progress import FileProgress
from study.errors import DONE, UserError
from study.spec.overrides import apply_override
from trainables.config.data import Data
from trainables.config.serialization import ConfigError

EPILOG = """
examples:
  sdd-study pack imagenet --root /data/imagenet --out imagenet-256.pack
  sdd-study pack folder --root pictures --out pictures.pack --side 320 --quality 90
  sdd-study pack torchvision:Food101 --root data --out food.pack --set options.download=True

The file is a data set: Data(name="mapped", root="imagenet-256.pack"). Its images are other images, so that
its trials have other keys. Pixels as they are take 0.26 MB an image at a side of 256, a JPEG a tenth of that.
The file is there whole or not at all; while it is written it has .partial after its name.

JSON: {"file", "name", "images", "bytes", "side", "quality", "fingerprint": identity of the set}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``pack``."""
    parser.add_argument("name", metavar="NAME", help="data set, as Data(name=...) has it")
    parser.add_argument("--root", metavar="DIR", help="where it is, as Data(root=...) has it")
    parser.add_argument("--out", type=user_path, required=True, metavar="FILE", help="file to write")
    parser.add_argument(
        "--side", type=int, default=256, metavar="PIXELS", help="of the shorter side of larger images (256)"
    )
    parser.add_argument(
        "--quality", type=int, default=0, metavar="Q", help="keep JPEGs of quality 1 to 95, not pixels"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        dest="overrides",
        help="a field of Data, such as options.seed=1",
    )
    parser.add_argument("--json", action="store_true", help="answer with JSON")


def run(args: argparse.Namespace) -> int:
    """Read the set, and write the file."""
    from trainables.data import fingerprint, load_raw
    from trainables.data.packing import pack

    out: Path = args.out.absolute()
    if not 1 <= args.side <= 4096:
        raise UserError(f"--side: {args.side} is not between 1 and 4096 pixels")
    if not 0 <= args.quality <= 95:
        raise UserError(f"--quality: {args.quality} is not between 1 and 95; leave it out for pixels")
    if not out.parent.is_dir():
        raise UserError(f"--out: {out.parent} is no folder; make it first")
    if out.is_dir():
        raise UserError(f"--out: {out} is a folder; name a file")
    try:
        data = reduce(apply_override, args.overrides, Data(name=args.name, root=args.root))
        data = replace(data, fingerprint=fingerprint(data))
        raw = load_raw(data)
        progress = FileProgress(Console(stderr=True), "packed")
        done = pack(raw, data, out, side=args.side, quality=args.quality, progress=progress)
    except ConfigError as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"--out: {out} cannot be written ({error.strerror or error})") from None
    about = {"file": str(out), "name": data.name, "side": args.side, "quality": args.quality, **asdict(done)}
    answer(args, about, lambda: _described(about))
    return DONE


def _described(about: dict[str, Any]) -> str:
    size = about["bytes"] / 2**30
    return (
        f"{about['images']} images of {about['name']}, {size:.2f} GiB, in {about['file']}\n"
        f'Data(name="mapped", root="{about["file"]}")'
    )
