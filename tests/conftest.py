"""What tests of both rooms share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.object_server import object_server
from trainables.losses.catalog import LOGIT_LOSSES


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Tests that start Ray run one after the other, also under ``pytest -n``: two Rays disturb each other.

    With pytest 9.2 the groups of pytest-xdist 3.8 have no effect, and nothing says so (pytest-xdist#1386).
    """
    grouped = [item for item in items if "ray" in item.keywords]
    for item in grouped:
        item.add_marker(pytest.mark.xdist_group("ray"))
    yield
    if getattr(config.option, "loadgroup", False) and not all(i.nodeid.endswith("@ray") for i in grouped):
        raise pytest.UsageError(
            "this pytest-xdist does not group tests with this pytest: two Rays would meet"
        )


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of an S3 server that runs for as long as the tests do."""
    with object_server(tmp_path_factory.mktemp("s3") / "server.log") as environment:
        yield environment


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database as it is made, which takes seconds; to be copied."""
    from study.tracking.client import make_database

    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    make_database(file)
    return file


@pytest.fixture(autouse=True)
def _registered_losses_as_they_were() -> Iterator[None]:
    """Take away what a test, or an example in a docstring, registers, so that no other test meets it."""
    before = dict(LOGIT_LOSSES)
    yield
    LOGIT_LOSSES.clear()
    LOGIT_LOSSES.update(before)
