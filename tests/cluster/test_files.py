"""The files of cluster/ as far as they can be checked without a cluster; fast, part of every `make test`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
KUBERNETES = "1.31"
RAY_JOB = {
    "entrypoint",
    "shutdownAfterJobFinishes",
    "ttlSecondsAfterFinished",
    "backoffLimit",
    "submissionMode",
    "rayClusterSpec",
}
"""Fields of RayJobSpec in KubeRay's API reference (1.6) that we use."""
RAY_CLUSTER = {
    "rayVersion",
    "authOptions",
    "enableInTreeAutoscaling",
    "autoscalerOptions",
    "headGroupSpec",
    "workerGroupSpecs",
}
GROUP = {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}


def load(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((CLUSTER / name).read_text())
    return config


@pytest.mark.parametrize("name", ["aws.yaml", "onprem.yaml"])
class TestRayUp:
    """What ``ray up`` reads."""

    def test_ray_takes_it(self, name: str) -> None:
        validate_config(prepare_config(load(name)))

    def test_its_local_files_are_in_the_checkout(self, name: str) -> None:
        local = [path for path in load(name)["file_mounts"].values() if not path.startswith("~")]
        assert [path for path in local if not (ROOT / path).exists()] == []

    def test_nothing_listens_for_the_whole_network_and_all_commands_know_the_token(self, name: str) -> None:
        config = load(name)
        commands = config["head_start_ray_commands"] + config["worker_start_ray_commands"]
        assert all(line.startswith(". ~/sdd-study/cluster/env.sh; ") for line in commands)
        assert "RAY_AUTH_MODE=token" in (CLUSTER / "env.sh").read_text()
        assert "~/.ray/auth_token" in config["file_mounts"]
        (head,) = [line for line in commands if "ray start --head" in line]
        assert "--dashboard-host=127.0.0.1" in head


class TestAws:
    """Money and secrets."""

    def test_three_lines_are_marked(self) -> None:
        marked = re.findall(r"<<< (\w+)", (CLUSTER / "aws.yaml").read_text().split("cluster_name")[1])
        assert marked == ["region", "key", "bucket"]

    def test_workers_are_on_spot_from_none_and_interchangeable(self) -> None:
        kinds = load("aws.yaml")["available_node_types"]
        head = kinds.pop("head")
        assert "InstanceMarketOptions" not in head["node_config"]
        assert head["resources"] == {"CPU": 0, "safe": 1000}
        assert len(kinds) >= 3
        assert len({json.dumps(kind["resources"]) for kind in kinds.values()}) == 1
        for kind in kinds.values():
            assert kind["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
            assert kind["min_workers"] == 0

    def test_every_node_has_its_role_a_pinned_image_and_a_disk_that_goes_with_it(self) -> None:
        for name, kind in load("aws.yaml")["available_node_types"].items():
            node = kind["node_config"]
            role = "head" if name == "head" else "worker"
            assert node["IamInstanceProfile"] == {"Name": f"sdd-study-{role}"}
            assert node["ImageId"] == f"resolve:ssm:/sdd-study/{role}-image"
            assert node["MetadataOptions"]["HttpTokens"] == "required"
            assert all(disk["Ebs"]["DeleteOnTermination"] for disk in node["BlockDeviceMappings"])
            assert all(disk["Ebs"]["Encrypted"] for disk in node["BlockDeviceMappings"])

    def test_workers_may_touch_nothing_but_their_part_of_the_bucket(self) -> None:
        statements = json.loads((CLUSTER / "iam/worker.json").read_text())["Statement"]
        actions = {action for one in statements for action in as_list(one["Action"])}
        assert {action.split(":")[0] for action in actions} == {"s3"}
        assert all("*" not in action for action in actions)
        written = [one for one in statements if "s3:PutObject" in as_list(one["Action"])]
        assert [as_list(one["Resource"]) for one in written] == [["arn:aws:s3:::BUCKET/store/*"]]

    def test_the_head_changes_only_what_is_tagged_as_ours(self) -> None:
        statements = json.loads((CLUSTER / "iam/head.json").read_text())["Statement"]
        for one in statements:
            for action in as_list(one["Action"]):
                assert "*" not in action
                if action in ("ec2:TerminateInstances", "ec2:CreateTags", "iam:PassRole"):
                    assert "Condition" in one, action
        launch = {one["Sid"]: one for one in statements if "ec2:RunInstances" in as_list(one["Action"])}
        tagged = launch["LaunchOnlyOurs"]
        assert any("instance/" in arn for arn in tagged["Resource"])
        assert not any("instance/" in arn for arn in launch["LaunchFrom"]["Resource"])
        assert "Condition" in tagged


class TestKubeRay:
    """kuberay.yaml; see its head for what is not checked."""

    def test_pod_templates_are_kubernetes_own(self) -> None:
        cluster = load("kuberay.yaml")["spec"]["rayClusterSpec"]
        for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, **group["template"]}
            kubernetes_validate.validate(pod, KUBERNETES, strict=True)

    def test_a_misspelt_field_of_a_pod_is_found(self) -> None:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": {"containerz": []}}
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(pod, KUBERNETES, strict=True)

    def test_ray_s_autoscaler_reads_its_groups(self) -> None:
        spec = load("kuberay.yaml")["spec"]["rayClusterSpec"]
        resource = {"metadata": {"name": "sdd-study", "namespace": "default"}, "spec": spec}
        config = _derive_autoscaling_config_from_ray_cr(resource)
        validate_config(config)
        assert config["available_node_types"]["gpu"]["resources"]["GPU"] == 1
        assert config["available_node_types"]["gpu"]["max_workers"] == 8

    def test_the_levels_above_have_known_fields_only(self) -> None:
        spec = load("kuberay.yaml")["spec"]
        assert set(spec) <= RAY_JOB
        assert set(spec["rayClusterSpec"]) <= RAY_CLUSTER
        for group in (spec["rayClusterSpec"]["headGroupSpec"], *spec["rayClusterSpec"]["workerGroupSpecs"]):
            assert set(group) <= GROUP


def test_scripts_pass_shellcheck() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    scripts = [str(path) for path in sorted(CLUSTER.glob("*.sh"))]
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_dockerfile_copies_what_there_is_and_pins_what_it_installs() -> None:
    text = re.sub(r"\\\n\s*", " ", (CLUSTER / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    known = ("FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "CMD")
    assert [line for line in lines if line.split()[0] not in known] == []
    sources = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert any("--require-hashes -r requirements.lock" in line for line in lines)


def test_mlflow_s_files_keep_it_on_this_machine() -> None:
    compose = load("mlflow/compose.yaml")
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert "--host 127.0.0.1" in (CLUSTER / "mlflow/mlflow.service").read_text()


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
