"""Lists networks by name: this package's, torchvision's and timm's."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache

from trainables.models.names import LIBRARIES, ModelError, available, names

__all__ = ["library_names", "matching"]


@cache
def library_names(library: str) -> tuple[str, ...]:
    """Return the names of a library's classifiers, as it has them, without ``library:`` before them.

    Raises:
        ModelError: the library is timm and is not installed.
    """
    if library == "torchvision":
        import torchvision.models as zoo

        return tuple(zoo.list_models(module=zoo))
    try:
        import timm
    except ImportError:
        raise ModelError("timm is not installed: pip install 'sdd-study[timm]'") from None
    return tuple(timm.list_models())


def matching(pattern: str = "*") -> list[str]:
    """Return the names that fit ``pattern``: with ``*`` and ``?`` a whole name, else any part of one.

    Names of torchvision and timm are looked through where the pattern begins with ``torchvision:`` or
    ``timm:``, which takes a moment; case counts nowhere. A whole name, options and all, gives itself.

    >>> matching("resnet8*"), matching("wrn_16")
    (['resnet8', 'resnet8x4'], ['wrn_16_1', 'wrn_16_2'])
    """
    library, colon, rest = pattern.partition(":")
    if colon and library in LIBRARIES:
        known = [f"{library}:{entry}" for entry in library_names(library)]
        prefix, sought = f"{library}:", rest
    else:
        known, prefix, sought = list(names()), "", pattern
    wild = sought if set(sought) & set("*?") else f"*{sought}*"
    found = [name for name in known if fnmatchcase(name.lower(), f"{prefix}{wild}".lower())]
    if pattern in known or (not found and available(pattern)):
        return [pattern]
    return found
