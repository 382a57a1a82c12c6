"""Check all that a launch needs, and say what to do about what is amiss; leaves nothing behind."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console

from study.commands.common import add_results, answer, user_path
from study.commands.file_progress import FileProgress
from study.errors import DONE, WRONG_INPUT, UserError
from study.workspace.locations import Locations
from study.workspace.locations import add_arguments as add_places

if TYPE_CHECKING:
    from study.doctor.findings import Finding

EPILOG = """
examples:
  sdd-study doctor
  sdd-study doctor --space my_space.py --read
  sdd-study doctor --cluster cluster/aws.yaml
  sdd-study doctor --address auto --store s3://bucket/sdd --optuna postgresql+psycopg://user@host/optuna

Takes the options of launch, and checks what a launch with them would use: versions, devices, a compiler,
shared memory, results folder and disk, store, Optuna's database, MLflow, Ray, and with --space its data:
what can be told from names and labels, and with --read each image file.
With --cluster, what `ray up` with that file needs instead: token, credentials, region, key, bucket, account,
or SSH to each machine; and of a cluster that is up (--address, or this machine's) versions and promised GPUs.
Exits 0 when nothing failed, else 2.

JSON: [{"name", "status": "ok" | "warn" | "fail", "found", "remedy"}]
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``doctor``."""
    add_results(parser)
    add_places(parser)
    parser.add_argument("--space", metavar="FILE", help="check the data and weight files of a study too")
    parser.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", dest="overrides", help="as in launch"
    )
    parser.add_argument("--read", action="store_true", help="with --space: read each image file of its data")
    parser.add_argument("--address", metavar="ADDR", help="Ray cluster, such as auto; a local one by default")
    parser.add_argument(
        "--cluster", type=user_path, metavar="FILE", help="check a cluster file and its cluster"
    )
    parser.add_argument("--no-ray", action="store_true", help="leave Ray out, which takes seconds to start")


def run(args: argparse.Namespace) -> int:
    """Run the checks, and show each finding as it comes."""
    from study.compute.address import own_cluster
    from study.doctor import cluster, machine, services
    from study.doctor.findings import DoctorContext, run_checks
    from study.workspace.folder import StudyFolder

    folder = StudyFolder(args.results.absolute(), "doctor", Locations.from_arguments(args))
    if args.read and args.space is None:
        raise UserError("--read: of which data? add --space FILE")
    progress = FileProgress(Console(stderr=True), "read")
    situation = DoctorContext(folder, args.address, args.space, args.overrides, args.read, progress)
    checks = [*machine.CHECKS, *services.CHECKS, ("devices", cluster.check_devices)]
    if args.cluster is not None:
        checks = [("cluster", partial(cluster.check_file, args.cluster))]
        if args.address or own_cluster():
            checks += [("ray", services.check_ray), ("devices", cluster.check_devices)]
    if args.no_ray:
        checks = [
            (name, check)
            for name, check in checks
            if check not in (services.check_ray, cluster.check_devices)
        ]
    found = []
    for finding in run_checks(checks, situation):
        found.append(finding)
        if not args.json:
            print(line(finding), flush=True)
    failed = sum(finding.status == "fail" for finding in found)
    answer(
        args,
        [asdict(finding) for finding in found],
        lambda: f"{failed} of {len(found)} failed" if failed else "nothing failed",
    )
    return WRONG_INPUT if failed else DONE


def line(finding: Finding) -> str:
    """Write ``ok    ray        Ray 2.60.0 ...``, and the remedy below it."""
    remedy = f"\n{'':22}-> {finding.remedy}" if finding.remedy else ""
    return f"{finding.status:5} {finding.name:15} {finding.found}{remedy}"
