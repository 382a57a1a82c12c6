"""The lab's tests run by `make cluster-test`, as root; elsewhere they say why they do not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.lab import Lab, missing


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An empty lab; everything in it ends with the module's tests."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    kept = os.environ.get("SDD_LAB_FOLDER")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("lab")
    with Lab(folder) as made:
        yield made
