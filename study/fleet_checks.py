"""What may be wrong with a cluster before anything runs on it; each check says it in one line, or nothing.

    for problem in problems(Path("cluster/aws.yaml")): print(problem)

Nothing is made or changed, but for one small object in the bucket that is deleted again.
"""

from __future__ import annotations

import difflib
import os
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.errors import ClusterError, UserError

NAME = "sdd-study"
PREPARE = "python cluster/account.py cluster/aws.yaml"
PORT_S = 5.0

Check = Callable[[], str]
"""Empty where all is well, else what is wrong and the remedy."""


def problems(file: Path) -> Iterator[str]:
    """What is wrong with the cluster that ``file`` describes for ``ray up``; then with the one we are on."""
    for check in checks(file):
        try:
            found = check()
        except UserError as error:
            found = str(error)
        if found:
            yield found
            if check.__name__ in STOPPERS:
                return  # what follows would only say the same again


def checks(file: Path) -> list[Check]:
    """The checks for a cluster file, in the order in which they make sense, and those of a live cluster."""
    import yaml

    from study.fleet import own_cluster

    try:
        config: dict[str, Any] = yaml.safe_load(file.read_text())
        kind = config["provider"]["type"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ClusterError(f"{file}: no cluster file ({' '.join(str(error).split())[:120]})") from None
    found: list[Check] = [lambda: token(Path("~/.ray/auth_token").expanduser())]
    if kind == "aws":
        found += Aws.of(config).checks()
    elif kind == "local":
        found += [lambda address=address: ssh(address) for address in machines(config)]  # type: ignore[misc]
    if (address := own_cluster()) is not None:
        found += [lambda: live(address)]
    return found


def token(file: Path) -> str:
    """Whether there is the token that ``file_mounts`` carries."""
    return "" if file.exists() else f"{file}: missing; ray get-auth-token --generate makes one"


def machines(config: dict[str, Any]) -> list[str]:
    """Addresses in a cluster file of one's own machines."""
    return [config["provider"]["head_ip"], *config["provider"]["worker_ips"]]


def ssh(address: str) -> str:
    """Whether a machine takes SSH connections."""
    try:
        socket.create_connection((address, 22), timeout=PORT_S).close()
    except OSError as error:
        return f"{address}: SSH does not answer ({error}); is it on, and the address right?"
    return ""


@dataclass(frozen=True)
class Aws:
    """What an AWS cluster file names."""

    region: str
    key: Path
    bucket: str

    @classmethod
    def of(cls, config: dict[str, Any]) -> Aws:
        """The three marked lines."""
        bucket = re.search(r"SDD_BUCKET=([^'\"\s]+)", " ".join(config["setup_commands"]))
        key = Path(config["auth"]["ssh_private_key"]).expanduser()
        return cls(config["provider"]["region"], key, bucket[1] if bucket else "")

    def checks(self) -> list[Check]:
        """All of them."""
        return [self.named_region, self.credentials, self.ssh_key, self.reachable_bucket, self.prepared]

    def client(self, service: str) -> Any:
        """A client that gives up soon."""
        import boto3
        from botocore.config import Config

        patience = Config(connect_timeout=PORT_S, read_timeout=10, retries={"max_attempts": 1})
        return boto3.client(service, region_name=self.region, config=patience)

    def named_region(self) -> str:
        """Whether there is such a region."""
        import boto3

        known = boto3.Session().get_available_regions("ec2")
        if self.region in known:
            return ""
        near = difflib.get_close_matches(self.region, known, 1)
        return f"region '{self.region}': AWS has none of that name" + (
            f"; did you mean {near[0]}?" if near else ""
        )

    def credentials(self) -> str:
        """Whether there are any, and AWS takes them."""
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError

        if boto3.Session().get_credentials() is None:
            return (
                "no AWS credentials; run `aws configure`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        try:
            self.client("sts").get_caller_identity()
        except ClientError as error:
            return f"AWS refuses the credentials ({_code(error)}); are they old, or those of another account?"
        except BotoCoreError as error:
            return f"AWS does not answer ({' '.join(str(error).split())[:160]}); is there a network?"
        return ""

    def ssh_key(self) -> str:
        """Whether the private key is here, and AWS has its other half."""
        from botocore.exceptions import ClientError

        if not self.key.exists():
            return f"ssh_private_key {self.key}: no such file; ssh-keygen -t ed25519 -f {self.key} makes one"
        try:
            self.client("ec2").describe_key_pairs(KeyNames=[NAME])
        except ClientError as error:
            return f"key pair {NAME} in {self.region}: {_code(error)}; {PREPARE} registers it"
        return ""

    def reachable_bucket(self) -> str:
        """Whether the bucket is there and can be written."""
        from botocore.exceptions import ClientError

        s3 = self.client("s3")
        try:
            s3.head_bucket(Bucket=self.bucket)
            s3.put_object(Bucket=self.bucket, Key="store/.doctor", Body=b"")
            s3.delete_object(Bucket=self.bucket, Key="store/.doctor")
        except ClientError as error:
            if _code(error) in ("404", "NoSuchBucket"):
                return f"bucket {self.bucket}: there is none; {PREPARE} makes it"
            return (
                f"bucket {self.bucket}: {_code(error)} to {error.operation_name}; it is another account's, "
                "or your user may not write it: choose another name, or get s3:PutObject on it"
            )
        return ""

    def prepared(self) -> str:
        """Whether roles and images are there."""
        from botocore.exceptions import ClientError

        try:
            for role in ("head", "worker"):
                self.client("iam").get_instance_profile(InstanceProfileName=f"{NAME}-{role}")
            ssm = self.client("ssm")
            for image in ("head", "worker"):
                ssm.get_parameter(Name=f"/{NAME}/{image}-image")
        except ClientError as error:
            return f"the account is not prepared ({_code(error)} to {error.operation_name}); {PREPARE}"
        return ""


STOPPERS = ("named_region", "credentials")


def live(address: str) -> str:
    """Whether the cluster answers, in our version, and its nodes have the devices they promise."""
    import ray

    from study.runner import Cluster

    cluster = Cluster(address)
    try:
        cluster.connect()
        return missing_devices()
    finally:
        if ray.is_initialized():
            cluster.close()


def missing_devices() -> str:
    """Whether each node with GPUs has as many as it says."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    promised = {
        node["NodeID"]: (node["NodeManagerAddress"], node["Resources"]["GPU"])
        for node in ray.nodes()  # type: ignore[no-untyped-call]
        if node["Alive"] and node["Resources"].get("GPU")
    }
    seen: Any = ray.remote(num_cpus=0)(_devices)
    asked = {
        node: seen.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote()
        for node in promised
    }
    bad = [
        f"{address} promises {number:g} GPU and has {there}"
        for node, (address, number) in promised.items()
        if (there := ray.get(asked[node], timeout=120)) < number
    ]
    remedy = "see nvidia-smi there; its driver is missing, or `resources` in the cluster file is wrong"
    return f"{', '.join(bad)}; {remedy}" if bad else ""


def _devices() -> int:
    """GPUs of this machine, whatever a process may use of them."""
    return len([name for name in os.listdir("/dev") if re.fullmatch(r"nvidia\d+", name)])


def _code(error: Any) -> str:
    return str(error.response["Error"]["Code"])
