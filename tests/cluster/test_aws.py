"""The shipped cluster/aws.yaml against a local EC2: up, what it made, up to workers, down to nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.aws import BUCKET, REPOSITORY, Aws
from tests.cluster.host import Host, wait_for
from tests.cluster.lab import Lab

pytestmark = pytest.mark.cluster

TASKS = """
import ray, time
ray.init(address="auto", logging_level="ERROR")
@ray.remote(num_cpus=1)
def where():
    time.sleep(5)
    return ray.util.get_node_ip_address()
print(*ray.get([where.remote() for _ in range(2)]))
"""


@pytest.fixture(scope="module")
def aws(lab: Lab) -> Iterator[Aws]:
    """An account in which cluster/account.py has been run and no cluster is up."""
    made = Aws(lab, machines=4)
    made.shipped({})
    made.ops.run(f"cd {REPOSITORY} && python cluster/account.py /root/aws.yaml --from 10.200.0.2/32")
    made.ops.run("ray get-auth-token --generate")
    return made


def on(head: Host, line: str, timeout: float = 200) -> str:
    """A line as a user types it on the head."""
    return head.run(f". ~/sdd-study/cluster/env.sh; cd ~/sdd-study; {line}", user=Host.USER, timeout=timeout)


def test_the_shipped_file_comes_up_scales_and_leaves_nothing(aws: Aws, record_property) -> None:
    took = wait_for("ray up", lambda: aws.ray("up -y /root/aws.yaml") is not None, 300)
    record_property("ray up, s", round(took))
    (head,) = aws.instances()
    assert head["InstanceType"] == "m7i.xlarge"
    assert "InstanceLifecycle" not in head, "the head must not be on spot"
    assert head["IamInstanceProfile"]["Arn"].endswith("/sdd-study-head")
    assert head["MetadataOptions"]["HttpTokens"] == "required"
    host = aws.host_of(head)

    (host.home / "tasks.py").write_text(TASKS)
    began = wait_for("two tasks", lambda: len(set(on(host, "python ~/tasks.py").split()[-2:])) == 2, 200)
    record_property("none to 2 workers and their tasks, s", round(began))
    workers = [one for one in aws.instances() if one["InstanceId"] != head["InstanceId"]]
    assert len(workers) == 2
    for worker in workers:
        assert worker["InstanceLifecycle"] == "spot"
        assert worker["IamInstanceProfile"]["Arn"].endswith("/sdd-study-worker")
    groups = {group["GroupId"] for one in [head, *workers] for group in one["SecurityGroups"]}
    (rules,) = aws.call("ec2", "describe_security_groups", GroupIds=list(groups))["SecurityGroups"]
    opened = [rule for rule in rules["IpPermissions"] if rule.get("IpRanges")]
    assert [(rule["FromPort"], rule["IpRanges"][0]["CidrIp"]) for rule in opened] == [(22, "10.200.0.2/32")]
    volumes = aws.call("ec2", "describe_volumes")["Volumes"]
    assert len(volumes) == 3
    assert all(volume["Encrypted"] for volume in volumes)
    for thing in [head, *workers, *volumes]:
        tags = {tag["Key"]: tag["Value"] for tag in thing["Tags"]}
        assert tags["ray-cluster-name"] == "sdd-study"

    took = wait_for("workers to go", lambda: len(aws.instances()) == 1, 120)
    record_property("2 to no workers, s", round(took))
    on(host, "python cluster/head.py backup")
    kept = {
        item["Key"].split("/")[-1] for item in aws.call("s3", "list_objects_v2", Bucket=BUCKET)["Contents"]
    }
    assert {"mlflow.dump", "optuna.dump", "complete"} <= kept
    aws.ray("down -y /root/aws.yaml")
    assert aws.instances() == []
    assert aws.call("ec2", "describe_volumes")["Volumes"] == []
    assert aws.instances("stopped", "stopping") == []
