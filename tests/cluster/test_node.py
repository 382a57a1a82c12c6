"""One node: the spot watcher against a metadata service, and what a stranger on its network gets."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable

import pytest

from tests.cluster.host import REPOSITORY, Host, run, wait_for
from tests.cluster.lab import Lab
from tests.cluster.studies import on

pytestmark = pytest.mark.cluster

START = "ray start --head $SDD_RAY_PORTS --port=6379 --num-cpus=1 --dashboard-host=127.0.0.1"
NODES = """
from ray._raylet import GcsClient
print(len(GcsClient(address="{}:6379").get_all_node_info(timeout=20)), "nodes")
"""


@pytest.fixture(scope="module")
def node(lab: Lab) -> Host:
    """A cluster of one node, as the start commands leave it, in a cloud with a metadata service."""
    host = lab.host("node", 4)
    lab.image(host)
    shutil.copytree(REPOSITORY / "cluster", host.home / "sdd-study" / "cluster")
    (host.home / ".sdd-study.env").touch()
    run("chown", "-R", f"{Host.UID}:{Host.UID}", host.home)
    (host.folder / "etc" / "imds.py").write_text((REPOSITORY / "tests/cluster/imds.py").read_text())
    host.popen(f"{sys.executable} /mnt/own/etc/imds.py lab /mnt/own/etc/notice", log=host.folder / "imds.log")
    on(host, f"ray get-auth-token --generate >/dev/null; {START}")
    return host


def test_who_has_no_token_gets_nothing(node: Host, lab: Lab) -> None:
    stranger = lab.host("stranger", 5)
    (stranger.home / "nodes.py").write_text(NODES.format(node.address))
    token = (node.home / ".ray" / "auth_token").read_text().strip()
    line = "timeout 60 python ~/nodes.py"
    for given in ("", "RAY_AUTH_MODE=token RAY_AUTH_TOKEN=0123456789"):
        said = stranger.run(f"{given} {line}", user=Host.USER, check=False)
        assert "AuthenticationError" in said
        assert "1 nodes" not in said
    assert "1 nodes" in stranger.run(f"RAY_AUTH_MODE=token RAY_AUTH_TOKEN={token} {line}", user=Host.USER)
    for port in (8265, 5000, 8080, 5432):
        tried = stranger.run(f"timeout 3 bash -c '</dev/tcp/{node.address}/{port}'", check=False)
        assert "refused" in tried, f"{port} is open"
    agent = (
        f"curl -s -o /dev/null -w '%{{http_code}}' -X POST http://{node.address}:52365/api/job_agent/jobs/"
    )
    assert stranger.run(agent).strip() == "401"


def test_a_spot_notice_drains_the_node_before_its_deadline(
    node: Host, record_property: Callable[[str, object], None]
) -> None:
    on(node, "python cluster/spot.py --background")
    log = node.home / "spot.log"
    wait_for("the watcher", lambda: log.exists() and "watching" in log.read_text(), 30)
    assert not (node.folder / "tmp" / "sdd-study.leaving").exists()
    when = time.strftime("%FT%TZ", time.gmtime(time.time() + 120))
    (node.folder / "etc" / "notice").write_text(json.dumps({"action": "terminate", "time": when}))
    took = wait_for("the sign", lambda: (node.folder / "tmp" / "sdd-study.leaving").exists(), 110)
    record_property("spot notice to drained node, s", round(took, 1))
    assert "drained" in log.read_text()
