"""A local AWS for the lab: moto's EC2, S3, IAM and SSM on the operator's host, and machines that answer
where moto says its instances are.

moto hands out the addresses .4, .5, .6 ... of the subnet in order and never again, so that hosts stand
there beforehand; "launching an instance" is then its address being told to Ray.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.host import REPOSITORY, TIED, Host, wait_for
from tests.cluster.lab import NETWORK, Lab

MOTO = Path(os.environ.get("SDD_MOTO_SERVER", REPOSITORY / ".venv-moto/bin/moto_server"))
ENDPOINT = f"http://{NETWORK}.2:5000"
BUCKET = "lab-bucket"
REGION = "us-west-2"
FIRST = 4

CALLS = """
import boto3, json, sys
for line in sys.stdin:
    service, operation, arguments = json.loads(line)
    try:
        answer = getattr(boto3.client(service), operation)(**arguments)
        answer.pop("ResponseMetadata", None)
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer, default=str), flush=True)
"""
"""Makes the calls it reads, one a line: one process on the operator's host, which can reach the lab's AWS."""


class Aws:
    """The account and its machines.

    Attributes:
        ops: the operator's host: the checkout, credentials, moto.
        machines: by address, the hosts that stand for instances.
    """

    def __init__(self, lab: Lab, machines: int) -> None:
        keys = {"AWS_ACCESS_KEY_ID": "lab", "AWS_SECRET_ACCESS_KEY": "lab"}
        cloud = {"AWS_ENDPOINT_URL": ENDPOINT, "AWS_DEFAULT_REGION": REGION}
        self.ops = lab.host(
            "ops", 2, (REPOSITORY, MOTO.parent.parent), RAY_AUTH_MODE="token", **cloud, **keys
        )
        moto = f"MOTO_IAM_LOAD_MANAGED_POLICIES=true {shlex.quote(str(MOTO))} -H {NETWORK}.2 -p 5000"
        self._moto = self.ops.popen(moto, log=lab.folder / "moto.log")
        self._calls: subprocess.Popen[str] | None = None
        self.machines: dict[str, Host] = {}
        for number in range(FIRST, FIRST + machines):
            host = lab.host(f"ip-{number}", number, **cloud)
            lab.image(host)
            self.machines[host.address] = host
            self.boot(host)
        wait_for("moto", lambda: "RAND" in self.ops.run(f"curl -s {ENDPOINT}/ && echo RAND", check=False), 60)
        vpc = self.call("ec2", "create_vpc", CidrBlock=f"{NETWORK}.0/24")["Vpc"]["VpcId"]
        self.subnet = self.call("ec2", "create_subnet", CidrBlock=f"{NETWORK}.0/24", VpcId=vpc)["Subnet"][
            "SubnetId"
        ]
        for name in ("head-image", "worker-image"):
            self.call("ssm", "put_parameter", Name=f"/sdd-study/{name}", Value="ami-12c6146b", Type="String")

    def boot(self, host: Host) -> None:
        """What an EC2 machine has besides its disk: the metadata service."""
        imds = (REPOSITORY / "tests/cluster/imds.py").read_text()
        (host.folder / "etc" / "imds.py").write_text(imds)
        notice = "/mnt/own/etc/notice"
        host.popen(f"{sys.executable} /mnt/own/etc/imds.py lab {notice}", log=host.folder / "imds.log")

    def call(self, service: str, operation: str, **arguments: Any) -> Any:
        """One call of AWS, from the operator's host."""
        if self._calls is None:
            words = shlex.join([sys.executable, "-c", CALLS])
            pipe = subprocess.PIPE
            self._calls = subprocess.Popen(
                [*TIED, *self.ops.command(words)], stdin=pipe, stdout=pipe, text=True
            )
        assert self._calls.stdin is not None
        assert self._calls.stdout is not None
        self._calls.stdin.write(json.dumps([service, operation, arguments]) + "\n")
        self._calls.stdin.flush()
        answer = json.loads(self._calls.stdout.readline())
        assert "error" not in answer, f"{service}.{operation}: {answer['error']}"
        return answer

    def instances(self, *states: str) -> list[dict[str, Any]]:
        """Instances in one of ``states`` (running)."""
        found = self.call("ec2", "describe_instances")["Reservations"]
        wanted = states or ("pending", "running")
        every = [instance for one in found for instance in one["Instances"]]
        return [instance for instance in every if instance["State"]["Name"] in wanted]

    def host_of(self, instance: dict[str, Any]) -> Host:
        """The machine that stands for an instance."""
        return self.machines[instance["PrivateIpAddress"]]

    def interrupt(self, host: Host, seconds: float) -> None:
        """Serve a spot notice on a machine."""
        when = time.strftime("%FT%TZ", time.gmtime(time.time() + seconds))
        (host.folder / "etc" / "notice").write_text(json.dumps({"action": "terminate", "time": when}))

    def take_away(self, host: Host) -> None:
        """Power a machine off and end its instance."""
        host.power_off()
        (instance,) = [one for one in self.instances() if one["PrivateIpAddress"] == host.address]
        self.call("ec2", "terminate_instances", InstanceIds=[instance["InstanceId"]])

    def shipped(self, sizes: Mapping[str, str], **values: Any) -> str:
        """The shipped file with test values: its marked lines, sizes, and this network's subnet.

        Args:
            sizes: instance type by kind of node, where the shipped one is not wanted.
            values: fields of the file's top level.
        """
        name = "aws.yaml"
        config = yaml.safe_load((REPOSITORY / "cluster" / name).read_text())
        config["provider"] |= {"region": REGION, "use_internal_ips": True}
        config["setup_commands"] = [line.replace("my-bucket", BUCKET) for line in config["setup_commands"]]
        config |= {"idle_timeout_minutes": 0.5, **values}
        for kind, node in config["available_node_types"].items():
            node["node_config"]["SubnetIds"] = [self.subnet]
            if kind != config["head_node_type"]:
                node["resources"] = {"CPU": 1}
                node["node_config"]["InstanceType"] = sizes.get(kind, node["node_config"]["InstanceType"])
        path = self.ops.folder / "root" / name
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return f"/root/{name}"

    def ray(self, line: str, timeout: float = 900, check: bool = True) -> str:
        """``ray ...`` at the root of the checkout."""
        return self.ops.run(f"cd {REPOSITORY} && ray {line}", timeout=timeout, check=check)
