"""What tests of both rooms share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.object_server import object_server


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start Ray run one after the other, also under ``pytest -n``: two Rays disturb each other."""
    for item in items:
        if "ray" in item.keywords:
            item.add_marker(pytest.mark.xdist_group("ray"))


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of an S3 server that runs for as long as the tests do."""
    with object_server(tmp_path_factory.mktemp("s3") / "server.log") as environment:
        yield environment
