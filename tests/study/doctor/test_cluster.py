"""``doctor --cluster`` against moto's AWS: each fault is one finding with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from moto import mock_aws

from study.cli import main
from study.doctor.cluster import check_file, devices_here
from study.doctor.findings import Finding

ROOT = Path(__file__).parents[3]
REGION = "us-west-2"
Write = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a token and a key, credentials that moto takes, nothing of this machine's own."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    for name in (".ray/auth_token", ".ssh/id_ed25519", ".ssh/id_ed25519.pub"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGxhYg== lab\n")
    return tmp_path


@pytest.fixture
def file(home: Path) -> Write:
    """Writes the shipped file with other values for its marked lines."""

    def write(region: str = REGION, bucket: str = "lab") -> Path:
        config = yaml.safe_load((ROOT / "cluster/aws.yaml").read_text())
        config["provider"]["region"] = region
        config["setup_commands"] = [line.replace("my-bucket", bucket) for line in config["setup_commands"]]
        path = home / "aws.yaml"
        path.write_text(yaml.safe_dump(config))
        return path

    return write


@pytest.fixture
def account(home: Path) -> Iterator[None]:
    """An account as cluster/account.py leaves it."""
    with mock_aws():
        where = {"LocationConstraint": REGION}
        boto3.client("s3", region_name=REGION).create_bucket(Bucket="lab", CreateBucketConfiguration=where)
        boto3.client("ec2", region_name=REGION).create_key_pair(KeyName="sdd-study")
        for role in ("head", "worker"):
            iam = boto3.client("iam", region_name=REGION)
            iam.create_instance_profile(InstanceProfileName=f"sdd-study-{role}")
            ssm = boto3.client("ssm", region_name=REGION)
            ssm.put_parameter(Name=f"/sdd-study/{role}-image", Value="ami-12c6146b", Type="String")
        yield


def failures(path: Path) -> list[Finding]:
    return [finding for finding in check_file(path) if finding.status == "fail"]


def test_a_prepared_account_has_nothing_to_say(account: None, file: Write) -> None:
    found = list(check_file(file()))
    assert [finding.name for finding in found] == [
        "token",
        "region",
        "credentials",
        "key",
        "bucket",
        "account",
    ]
    assert {finding.status for finding in found} == {"ok"}


def test_a_misspelt_region_is_told_and_ends_the_list(account: None, file: Write) -> None:
    (found,) = failures(file(region="us-wset-2"))
    assert "no region 'us-wset-2'" in found.found
    assert "us-west-2" in found.remedy


def test_no_credentials(account: None, file: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (found,) = failures(file())
    assert found.found == "there are no AWS credentials"
    assert "aws configure" in found.remedy


def test_a_region_where_the_key_is_not(account: None, file: Write) -> None:
    names = {finding.name: finding for finding in failures(file(region="eu-west-1"))}
    assert "key pair sdd-study in eu-west-1: InvalidKeyPair.NotFound" in names["key"].found
    assert "account.py" in names["key"].remedy


def test_a_missing_private_key(account: None, file: Write, home: Path) -> None:
    (home / ".ssh/id_ed25519").unlink()
    (found,) = failures(file())
    assert "there is no such file" in found.found
    assert "ssh-keygen" in found.remedy


def test_a_missing_bucket(account: None, file: Write) -> None:
    (found,) = failures(file(bucket="nowhere"))
    assert found.found == "nowhere: there is none"


def test_a_bucket_without_permission(account: None, file: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.core import set_initial_no_auth_action_count

    path = file()
    iam = boto3.client("iam", region_name=REGION)
    iam.create_user(UserName="reader")
    allowed = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*","Action":["s3:ListBucket",'
    )
    allowed += '"s3:HeadBucket","ec2:*","iam:*","ssm:*","sts:*"]}]}'
    iam.put_user_policy(UserName="reader", PolicyName="reader", PolicyDocument=allowed)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    found = set_initial_no_auth_action_count(0)(failures)(path)
    assert [finding.name for finding in found] == ["bucket"]
    assert "AccessDenied to PutObject" in found[0].found
    assert "s3:PutObject" in found[0].remedy


def test_a_missing_token(account: None, file: Write, home: Path) -> None:
    (home / ".ray/auth_token").unlink()
    (found,) = failures(file())
    assert found.remedy == "ray get-auth-token --generate"


def test_machines_that_do_not_answer(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = yaml.safe_load((ROOT / "cluster/onprem.yaml").read_text())
    config["provider"] |= {"head_ip": "127.0.0.9", "worker_ips": ["127.0.0.8"]}
    path = home / "onprem.yaml"
    path.write_text(yaml.safe_dump(config))
    assert main(["doctor", "--cluster", str(path)]) == 2
    printed = capsys.readouterr().out
    assert "127.0.0.9 does not answer" in printed
    assert "127.0.0.8 does not answer" in printed


def test_a_file_that_is_none(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--cluster", str(home / "nowhere.yaml")]) == 2
    assert "no cluster file" in capsys.readouterr().out


def test_devices_are_counted_where_the_driver_puts_them() -> None:
    assert devices_here() == len(list(Path("/dev").glob("nvidia[0-9]*")))
