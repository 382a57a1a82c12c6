"""Prepare an AWS account for `ray up cluster/aws.yaml`, or take it all back.

    python cluster/account.py cluster/aws.yaml                    what is missing; harmless to run again
    python cluster/account.py cluster/aws.yaml --from 1.2.3.4/32  SSH from there instead of where you are
    python cluster/account.py cluster/aws.yaml --new-images       pin the newest images, not those of before
    python cluster/account.py cluster/aws.yaml --delete           everything but the bucket and what is in it

Reads region, key and bucket from the marked lines. Makes: roles and profiles sdd-study-head and -worker with
cluster/iam/*.json, key pair and security group sdd-study, the parameters /sdd-study/{head,worker}-image, the
bucket (private, encrypted). Needs credentials that may do this; the cluster itself runs with the roles alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.exceptions import BotoCoreError, ClientError

NAME = "sdd-study"
HERE = Path(__file__).resolve().parent
IMAGES = {
    "head-image": "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
    "worker-image": "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04"
    "/latest/ami-id",
}
MY_ADDRESS = "https://checkip.amazonaws.com"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


@dataclass(frozen=True)
class Marked:
    """The three lines a user fills in."""

    region: str
    key: Path
    bucket: str


def marked(file: Path) -> Marked:
    """Read them."""
    config = yaml.safe_load(file.read_text())
    (line,) = [line for line in config["setup_commands"] if "SDD_BUCKET=" in line]
    bucket = line.split("SDD_BUCKET=")[1].split("'")[0]
    return Marked(config["provider"]["region"], Path(config["auth"]["ssh_private_key"]).expanduser(), bucket)


def main() -> int:
    """Prepare or delete; what AWS refuses is one line and exit code 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--from", dest="source", metavar="CIDR")
    parser.add_argument("--new-images", action="store_true")
    parser.add_argument("--delete", action="store_true")
    args = parser.parse_args()
    wanted = marked(args.file)
    try:
        if args.delete:
            delete(wanted)
        else:
            prepare(wanted, args.source or my_address(), args.new_images)
    except (BotoCoreError, ClientError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def prepare(wanted: Marked, source: str, new_images: bool) -> None:
    """Everything in order; says what it did."""
    session = boto3.Session(region_name=wanted.region)
    account = session.client("sts").get_caller_identity()["Account"]
    bucket(session, wanted)
    for role in ("head", "worker"):
        text = (HERE / "iam" / f"{role}.json").read_text()
        for name, value in (("REGION", wanted.region), ("ACCOUNT", account), ("BUCKET", wanted.bucket)):
            text = text.replace(name, value)
        profile(session.client("iam"), f"{NAME}-{role}", text)
    spot_role(session.client("iam"))
    ec2 = session.client("ec2")
    key_pair(ec2, wanted.key)
    for vpc in ec2.describe_vpcs()["Vpcs"]:  # Ray picks one of them
        security_group(ec2, vpc["VpcId"], source)
    for name, latest in IMAGES.items():
        pin(session.client("ssm"), f"/{NAME}/{name}", latest, new_images)


def bucket(session: boto3.Session, wanted: Marked) -> None:
    """The bucket: private, and encrypted as all new ones are."""
    s3 = session.client("s3")
    try:
        s3.head_bucket(Bucket=wanted.bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise OSError(f"bucket {wanted.bucket}: not yours ({error}); choose another name") from None
        where = {"CreateBucketConfiguration": {"LocationConstraint": wanted.region}}
        s3.create_bucket(Bucket=wanted.bucket, **(where if wanted.region != "us-east-1" else {}))
    closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(
        Bucket=wanted.bucket, PublicAccessBlockConfiguration=dict.fromkeys(closed, True)
    )
    print(f"bucket {wanted.bucket}")


def profile(iam: Any, name: str, policy: str) -> None:
    """A role with one policy, and the instance profile that holds it."""
    tolerant(iam.create_role, RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=policy)
    tolerant(iam.create_instance_profile, InstanceProfileName=name)
    if not iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]:
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    print(f"role and profile {name}")


def spot_role(iam: Any) -> None:
    """The role of EC2's spot service; an account has it after its first spot request."""
    try:
        iam.create_service_linked_role(AWSServiceName="spot.amazonaws.com")
    except ClientError as error:
        if "taken" not in str(error) and "exists" not in str(error):
            raise


def key_pair(ec2: Any, key: Path) -> None:
    """The public half of the user's key."""
    public = key.with_name(f"{key.name}.pub")
    if not key.exists() or not public.exists():
        raise OSError(f"no SSH key at {key} and {public}; ssh-keygen -t ed25519 -f {key} makes one")
    tolerant(ec2.delete_key_pair, KeyName=NAME)
    ec2.import_key_pair(KeyName=NAME, PublicKeyMaterial=public.read_bytes())
    print(f"key pair {NAME}: {public}")


def security_group(ec2: Any, vpc: str, source: str) -> None:
    """All from each other, SSH from ``source``, nothing else. Ray leaves a group that has rules as it is."""
    mine = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": [NAME]}]
    found = ec2.describe_security_groups(Filters=mine)["SecurityGroups"]
    made = {"GroupName": NAME, "Description": "the cluster of sdd-study", "VpcId": vpc}
    group = found[0]["GroupId"] if found else ec2.create_security_group(**made)["GroupId"]
    if found and found[0]["IpPermissions"]:
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=found[0]["IpPermissions"])
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]},
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": source}]},
        ],
    )
    print(f"security group {NAME} in {vpc}: SSH from {source}")


def pin(ssm: Any, name: str, latest: str, renew: bool) -> None:
    """Note an image under a name of ours: all machines come from the same one until told otherwise."""
    if not renew:
        try:
            print(f"{name}: {ssm.get_parameter(Name=name)['Parameter']['Value']}")
            return
        except ssm.exceptions.ParameterNotFound:
            pass
    image = ssm.get_parameter(Name=latest)["Parameter"]["Value"]
    ssm.put_parameter(Name=name, Value=image, Type="String", DataType="aws:ec2:image", Overwrite=True)
    print(f"{name}: {image}, pinned now")


def delete(wanted: Marked) -> None:
    """Take back what :func:`prepare` made, but for the bucket."""
    session = boto3.Session(region_name=wanted.region)
    ec2, iam, ssm = (session.client(name) for name in ("ec2", "iam", "ssm"))
    for group in ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [NAME]}])[
        "SecurityGroups"
    ]:
        ec2.delete_security_group(GroupId=group["GroupId"])
    ec2.delete_key_pair(KeyName=NAME)
    for role in (f"{NAME}-head", f"{NAME}-worker"):
        tolerant(iam.remove_role_from_instance_profile, InstanceProfileName=role, RoleName=role)
        tolerant(iam.delete_instance_profile, InstanceProfileName=role)
        tolerant(iam.delete_role_policy, RoleName=role, PolicyName=role)
        tolerant(iam.delete_role, RoleName=role)
    ssm.delete_parameters(Names=[f"/{NAME}/{name}" for name in IMAGES])
    print(f"gone; bucket {wanted.bucket} and what is in it is left: aws s3 rb --force s3://{wanted.bucket}")


def my_address() -> str:
    """The address this machine has on the Internet."""
    with urllib.request.urlopen(MY_ADDRESS, timeout=10) as answer:
        return f"{answer.read().decode().strip()}/32"


def tolerant(call: Any, **arguments: Any) -> None:
    """Make a call; that the thing is there already, or gone already, is fine."""
    try:
        call(**arguments)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if not code.startswith(("EntityAlreadyExists", "NoSuchEntity", "InvalidKeyPair")):
            raise


if __name__ == "__main__":
    sys.exit(main())
