"""Defines the one family of errors: each is a line for the user, and says how a command ends by it.

What other libraries raise is cut down to a line of ours by :func:`one_line`; a misspelt name is answered by
:func:`suggestion`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar, Literal

DONE, WRONG_INPUT, TRIALS_FAILED, INTERRUPTED = 0, 2, 3, 130
"""Exit codes of all commands: all is well; the input is wrong, nothing was run; done, but trials failed;
interrupted, or stopped by what the same command goes on from once it is mended."""


class SDDError(Exception):
    """Says what is wrong, where, and the remedy, in one line whatever the user's words in it are.

    Attributes:
        exit_code: with which a command ends that cannot go on for this.

    >>> error = SDDError("root: no folder\\n  of that name")
    >>> str(error), error.exit_code
    ('root: no folder of that name', 2)
    """

    exit_code: ClassVar[int] = WRONG_INPUT

    def __init__(self, message: object = "") -> None:
        super().__init__(" ".join(str(message).split()))


class TrialError(SDDError):
    """Ends one trial, whose reason it is; the others go on.

    >>> TrialError("the loss is nan in epoch 3").exit_code
    3
    """

    exit_code = TRIALS_FAILED


def one_line(
    error: BaseException,
    most: int = 200,
    part: Literal["whole", "first", "last"] = "whole",
    kind: bool = False,
) -> str:
    """Put an error in at most ``most`` characters of one line, its type where it has no message.

    Args:
        part: the whole message, or only its first line, where a trace or advice follows, or its last, where
            one goes before.
        kind: whether its type stands before it in any case.

    >>> one_line(OSError("no route to host\\n  at line 7"), part="first")
    'no route to host'
    >>> one_line(KeyError(), kind=True)
    'KeyError'
    """
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    text = {"whole": lines, "first": lines[:1], "last": lines[-1:]}[part]
    name = [f"{type(error).__name__}:"] if kind and text else [] if text else [type(error).__name__]
    return " ".join([*name, *text])[:most]


def suggestion(name: str, known: Iterable[str], otherwise: str | None = None, most: int = 1) -> str:
    """Make the end of a message about an unknown ``name``: the nearest known ones, or all of them.

    Args:
        otherwise: what to say in the place of all names, where none is near.

    >>> suggestion("resnet9", ["resnet8", "vgg8"])
    "did you mean 'resnet8'?"
    >>> suggestion("x", ["resnet8", "vgg8"])
    'known: resnet8, vgg8'
    """
    names = {one.lower(): one for one in sorted(known)}
    near = [names[low] for low in difflib.get_close_matches(name.lower(), names, n=most)]
    if near:
        return f"did you mean {', '.join(map(repr, near))}?"
    return f"known: {', '.join(sorted(names.values()))}" if otherwise is None else otherwise
