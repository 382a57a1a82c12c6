"""Keeps compiled code in the run store, so that a new process, or a new node, need not compile again.

STORE/compiled/<key>.bin        key: hash of versions, device, and all that is built into the code

It is what ``torch.compiler.save_cache_artifacts`` gives. torch looks into it by hashes of its own, so that an
entry which does not fit is not used. Whoever may write to the store may so run code on the nodes, as with the
losses of the user's own.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

import torch

from trainables.engine.device import hardware
from trainables.engine.runtime import Runtime
from trainables.errors import one_line
from trainables.storage.run_store import RunStore


@contextmanager
def kept_artifacts(what: str, store: RunStore, runtime: Runtime) -> Iterator[None]:
    """Compile inside ``with`` from what another process left in ``store``, or leave it there.

    What goes wrong with the store is logged, and costs the time of compiling.

    Args:
        what: names all that is built into the code, beside versions and device.
    """
    from torch.compiler._cache import CacheArtifactManager

    name = f"compiled/{artifact_key(what, runtime.device)}.bin"
    found = False
    try:
        torch.compiler.load_cache_artifacts(store.storage.read(name))
        found = True
    except FileNotFoundError:
        pass
    except Exception as error:
        runtime.log(f"compiled code in the store cannot be read: {one_line(error)}")
    with CacheArtifactManager.with_fresh_cache():  # what was compiled before is under keys of its own
        yield
        made = None if found else torch.compiler.save_cache_artifacts()
    if made is not None:
        try:
            store.storage.write(name, made[0])
        except Exception as error:
            runtime.log(f"compiled code is not kept in the store: {one_line(error)}")


def artifact_key(what: str, device: torch.device) -> str:
    """Return the hash under which code is kept."""
    try:
        triton = version("triton")
    except PackageNotFoundError:  # of builds for CPUs alone
        triton = "none"
    parts = [what, torch.__version__, triton, platform.python_version(), hardware(device)]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
