"""Checks a cluster file before ``ray up``, and the cluster that is up: ``doctor --cluster FILE``.

Nothing is made or changed, but for a small object in the bucket that is deleted again.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.doctor.findings import DoctorContext, Finding
from study.errors import ClusterError
from trainables.errors import one_line, suggestion

NAME = "sdd-study"
PREPARE = "python cluster/account.py cluster/aws.yaml"
PATIENCE_S = 5.0
MISSING = ("404", "NoSuchBucket")


def check_file(file: Path, situation: DoctorContext | None = None) -> Iterable[Finding]:
    """Check all about a cluster file, so that the first fault explains those that would follow."""
    import yaml

    try:
        config: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        kind = config["provider"]["type"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ClusterError(f"{file}: no cluster file ({one_line(error)})") from None
    yield check_token(Path("~/.ray/auth_token").expanduser())
    if kind == "local":
        for address in (config["provider"]["head_ip"], *config["provider"]["worker_ips"]):
            yield check_ssh(address)
    if kind == "aws":
        account = CloudAccount.of(config)
        for check in account.checks():
            finding = check()
            yield finding
            if finding.status == "fail" and check in (account.region_is_one, account.credentials_are_taken):
                return


def check_token(file: Path) -> Finding:
    """Check that there is the token that the cluster file carries to the nodes."""
    if file.exists():
        return Finding("token", "ok", str(file))
    return Finding("token", "fail", f"{file} is missing", "ray get-auth-token --generate")


def check_ssh(address: str) -> Finding:
    """Check that a machine takes SSH connections."""
    try:
        socket.create_connection((address, 22), timeout=PATIENCE_S).close()
    except OSError as error:
        return Finding(
            "ssh", "fail", f"{address} does not answer: {error}", "is it on, and the address right?"
        )
    return Finding("ssh", "ok", address)


@dataclass(frozen=True)
class CloudAccount:
    """Reads the marked lines of aws.yaml, and asks whether AWS agrees with them."""

    region: str
    key: Path
    bucket: str

    @classmethod
    def of(cls, config: dict[str, Any]) -> CloudAccount:
        """Read the marked lines of a cluster file."""
        bucket = re.search(r"SDD_BUCKET=([^'\"\s]+)", " ".join(config["setup_commands"]))
        key = Path(config["auth"]["ssh_private_key"]).expanduser()
        return cls(config["provider"]["region"], key, bucket[1] if bucket else "")

    def checks(self) -> list[Callable[[], Finding]]:
        """Return all checks, the ones that others rest on first."""
        first = [self.region_is_one, self.credentials_are_taken]
        return [*first, self.key_is_registered, self.bucket_is_writable, self.account_is_prepared]

    def client(self, service: str) -> Any:
        """Return a client that gives up soon."""
        import boto3
        from botocore.config import Config

        patience = Config(connect_timeout=PATIENCE_S, read_timeout=10, retries={"max_attempts": 1})
        return boto3.client(service, region_name=self.region, config=patience)

    def region_is_one(self) -> Finding:
        """Check that AWS has a region of that name."""
        import boto3

        known = boto3.Session().get_available_regions("ec2")
        if self.region in known:
            return Finding("region", "ok", self.region)
        hint = suggestion(self.region, known, otherwise="aws ec2 describe-regions lists them")
        return Finding("region", "fail", f"AWS has no region '{self.region}'", hint)

    def credentials_are_taken(self) -> Finding:
        """Check that there are credentials, and AWS takes them."""
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError

        remedy = "aws configure, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        try:
            if boto3.Session().get_credentials() is None:
                return Finding("credentials", "fail", "there are no AWS credentials", remedy)
            who = self.client("sts").get_caller_identity()["Arn"]
        except ClientError as error:
            return Finding("credentials", "fail", f"AWS refuses them: {_code(error)}", f"old ones? {remedy}")
        except BotoCoreError as error:
            return Finding(
                "credentials", "fail", f"AWS does not answer: {one_line(error)}", "is there a network?"
            )
        return Finding("credentials", "ok", who)

    def key_is_registered(self) -> Finding:
        """Check that the private key is here, and AWS has its other half."""
        if not self.key.exists():
            make = f"ssh-keygen -t ed25519 -f {self.key}"
            return Finding("key", "fail", f"ssh_private_key {self.key}: there is no such file", make)
        with _refusals("key", f"key pair {NAME} in {self.region}", PREPARE) as refused:
            self.client("ec2").describe_key_pairs(KeyNames=[NAME])
        return refused[0] if refused else Finding("key", "ok", f"{self.key}, key pair {NAME}")

    def bucket_is_writable(self) -> Finding:
        """Check that the bucket is there and takes what a study writes."""
        s3 = self.client("s3")
        remedy = "another account's, or not yours to write: another name, or s3:PutObject on it"
        with _refusals("bucket", self.bucket, remedy) as refused:
            s3.head_bucket(Bucket=self.bucket)
            s3.put_object(Bucket=self.bucket, Key="store/.doctor", Body=b"")
            s3.delete_object(Bucket=self.bucket, Key="store/.doctor")
        if refused and refused[0].found.split(": ")[1].split(" ")[0] in MISSING:
            return Finding("bucket", "fail", f"{self.bucket}: there is none", f"{PREPARE} makes it")
        return refused[0] if refused else Finding("bucket", "ok", self.bucket)

    def account_is_prepared(self) -> Finding:
        """Check that roles and images are there."""
        with _refusals("account", "not prepared", PREPARE) as refused:
            for role in ("head", "worker"):
                self.client("iam").get_instance_profile(InstanceProfileName=f"{NAME}-{role}")
                self.client("ssm").get_parameter(Name=f"/{NAME}/{role}-image")
        return refused[0] if refused else Finding("account", "ok", "roles and images are there")


def check_devices(situation: DoctorContext) -> Iterable[Finding]:
    """Check that each node that promises GPUs has them."""
    import ray

    from study.compute.cluster import Cluster

    cluster = Cluster(situation.address)
    if cluster.address is None:
        return
    try:
        cluster.connect()
        lacking = lacking_devices()
    finally:
        if ray.is_initialized():
            cluster.close()
    if lacking:
        remedy = "nvidia-smi there; its driver is missing, or `resources` in the cluster file is wrong"
        yield Finding("devices", "fail", "; ".join(lacking), remedy)
    else:
        yield Finding("devices", "ok", "every node has the GPUs it promises")


def lacking_devices() -> list[str]:
    """Name the nodes of this cluster that have fewer GPUs than they promise, one line each."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    look: Any = ray.remote(num_cpus=0)(devices_here)
    asked = {}
    for node in ray.nodes():  # type: ignore[no-untyped-call]
        if node["Alive"] and node["Resources"].get("GPU"):
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            promise = (node["NodeManagerAddress"], node["Resources"]["GPU"])
            asked[promise] = look.options(scheduling_strategy=there).remote()
    return [
        f"{address} promises {number:g} GPU and has {found}"
        for (address, number), answer in asked.items()
        if (found := ray.get(answer, timeout=120)) < number
    ]


def devices_here() -> int:
    """Count the NVIDIA GPUs of this machine, whatever a process may use of them."""
    return len([name for name in os.listdir("/dev") if re.fullmatch(r"nvidia\d+", name)])


@contextmanager
def _refusals(name: str, what: str, remedy: str) -> Iterator[list[Finding]]:
    """Collects what AWS refuses in a block, ``WHAT: CODE to OPERATION``."""
    from botocore.exceptions import BotoCoreError, ClientError

    refused: list[Finding] = []
    try:
        yield refused
    except ClientError as error:
        found = f"{what}: {_code(error)} to {error.operation_name}"
        refused.append(Finding(name, "fail", found, remedy))
    except BotoCoreError as error:
        refused.append(Finding(name, "fail", f"{what}: {one_line(error)}", "is there a network?"))


def _code(error: Any) -> str:
    return str(error.response["Error"]["Code"])
