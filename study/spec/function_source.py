"""Hashes the source of a function that a space file holds, so that its text is part of what a search is."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

from trainables.config.serialization import ConfigError


def source_hash(function: Callable[..., Any]) -> str:
    """Hash the text of ``function`` as it was when its file was loaded.

    Raises:
        ConfigError: the text cannot be read, as of a function that was typed into a prompt.
    """
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        raise ConfigError(
            f"{function.__name__}: its source cannot be read; write it in the space file"
        ) from None
    return hashlib.sha256(text.encode()).hexdigest()[:12]
