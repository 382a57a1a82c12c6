"""List the networks that can be teachers and students, with what they cost at an image size."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from study.commands.common import answer, columns
from study.errors import DONE, UserError

if TYPE_CHECKING:
    from trainables.models.profile import NetworkProfile

EPILOG = """
examples:
  sdd-study networks                                   # this package's; torchvision's and timm's by pattern
  sdd-study networks "timm:deit*" --image-size 224
  sdd-study networks "timm:vit_tiny_patch16_224(patch_size=4)" --classes 10 --json

A pattern with * or ? is a whole name, another any part of one. Multiply-adds are for one image; the map is
what regions are cut from; the whole image is classified by the map's average or by a class token.

JSON: a list of {"name", "fits", "parameters", "multiply_adds", "map": [height, width],
"whole": "average" | "class token", "reason": why it does not fit}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``networks``."""
    parser.add_argument("pattern", nargs="?", default="*", metavar="PATTERN", help="such as 'timm:vit_tiny*'")
    parser.add_argument(
        "--image-size", type=int, default=32, metavar="PIXELS", help="side of the images (32)"
    )
    parser.add_argument("--classes", type=int, default=100, metavar="K", help="classes (100)")
    parser.add_argument("--json", action="store_true", help="answer with JSON")


def run(args: argparse.Namespace) -> int:
    """Show the networks whose names match, and of those that do not fit why."""
    from trainables.models.libraries import matching
    from trainables.models.names import ModelError
    from trainables.models.profile import profile

    if args.image_size < 8 or args.classes < 1:
        raise UserError("--image-size is 8 or more, --classes 1 or more")
    try:
        names = matching(args.pattern)
    except ModelError as error:
        raise UserError(str(error)) from None
    if not names:
        raise UserError(
            f"no network matches '{args.pattern}'; those of other libraries begin with torchvision: or timm:"
        )
    found = [profile(name, args.classes, args.image_size) for name in names]
    answer(args, [row(each) for each in found], lambda: table(found))
    return DONE


def row(each: NetworkProfile) -> dict[str, Any]:
    """Return a network's profile as JSON has it."""
    return {
        "name": each.name,
        "fits": each.fits,
        "parameters": each.parameters,
        "multiply_adds": each.multiply_adds,
        "map": each.map,
        "whole": each.whole,
        "reason": each.reason,
    }


def table(found: list[NetworkProfile]) -> str:
    """Write those that fit under each other, and those that do not with the reason."""
    rows = [["network", "parameters", "multiply-adds", "map", "whole image"]]
    for each in found:
        if each.map is not None:
            height, width = each.map
            costs = [f"{each.parameters:,}", f"{each.multiply_adds:,}"]
            rows.append([each.name, *costs, f"{height}x{width}", str(each.whole)])
    lines = [columns(rows, right=(1, 2, 3))] if len(rows) > 1 else []
    return "\n".join([*lines, *(f"does not fit: {each.reason}" for each in found if not each.fits)])
