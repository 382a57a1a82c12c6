"""Studies on the shipped AWS cluster: calm, in a storm, from a laptop, seen by a stranger, on a new head.

The tests are one story and run in the order in which they stand.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.aws import BUCKET, REPOSITORY, Aws
from tests.cluster.host import Host, wait_for
from tests.cluster.lab import Lab
from tests.cluster.storm import Storm
from tests.cluster.studies import SPACE, numbers, on, records, reports, write_space

pytestmark = pytest.mark.cluster

Note = Callable[[str, object], None]
EPOCHS, TRIALS, SCENES = 10, 14, 600
SPARE = 12


@pytest.fixture(scope="module")
def aws(lab: Lab) -> Aws:
    """An account with the cluster up; up to 2 workers of one CPU, types without GPUs."""
    made = Aws(lab, machines=SPARE)
    made.shipped(dict.fromkeys(("g6", "g5", "g6-large", "g5-large"), "m7i.large"), max_workers=2)
    made.ops.run(f"cd {REPOSITORY} && python cluster/account.py /root/aws.yaml --from 10.200.0.2/32")
    made.ops.run("ray get-auth-token --generate")
    made.ray("up -y /root/aws.yaml")
    return made


@pytest.fixture
def head(aws: Aws) -> Host:
    """The head of the moment."""
    return head_of(aws)


def head_of(aws: Aws) -> Host:
    """The machine of the instance that is tagged so."""
    kinds = {
        one["PrivateIpAddress"]: tag["Value"]
        for one in aws.instances()
        for tag in one["Tags"]
        if tag["Key"] == "ray-node-type"
    }
    (address,) = [address for address, kind in kinds.items() if kind == "head"]
    return aws.machines[address]


def results_of(head: Host) -> Path:
    """The results folder on the head."""
    return head.home / "sdd-study" / "results"


def workers(aws: Aws) -> list[Host]:
    """Machines of the instances that run, but for the head."""
    return [aws.host_of(one) for one in aws.instances() if aws.host_of(one) is not head_of(aws)]


RESULTS = """
import json, sys
from trainables.storage.run_store import RunStore
url, *keys = sys.argv[1:]
print(json.dumps({key: RunStore(url).run(key).result() for key in keys}))
"""


def runs_in_store(aws: Aws, store: str, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The records of finished runs on S3."""
    program = shlex.join(["python", "-c", RESULTS, f"s3://{BUCKET}/{store}", *keys])
    found: dict[str, dict[str, Any]] = json.loads(aws.ops.run(f"cd {REPOSITORY} && {program}"))
    return found


TRACKED = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient()
experiment = client.get_experiment_by_name(sys.argv[1])
runs = client.search_runs([experiment.experiment_id])
print(json.dumps({run.data.tags["trial_key"]: [file.path for file in client.list_artifacts(run.info.run_id)]
                  for run in runs if "trial_key" in run.data.tags}))
"""


def in_mlflow(head: Host, study: str) -> dict[str, list[str]]:
    """Artifacts of each trial of a study that MLflow on the head has."""
    (head.home / "tracked.py").write_text(TRACKED)
    found: dict[str, list[str]] = json.loads(on(head, f"python ~/tracked.py {study}").splitlines()[-1])
    return found


def test_a_study_scales_the_fleet_up_and_down(aws: Aws, head: Host, record_property: Note) -> None:
    write_space(head, "calm", EPOCHS, TRIALS, SCENES)
    began = time.monotonic()
    most = Most(aws)
    launcher = Storm(aws, head, "calm", "python study/launch.py --space calm.py")
    launcher.start()
    while not launcher.ended():
        most.look()
        time.sleep(2)
    assert launcher.launcher.wait() == 0, launcher.log()
    record_property("calm study, s", round(time.monotonic() - began))
    assert most.number >= 2
    found = records(results_of(head), "calm")
    assert sum(one.stage == "search" for one in found.values()) == TRIALS
    machines = {run["machine"]["host"] for run in runs_in_store(aws, "store", found).values()}
    assert len(machines) >= 2, "trials ran on one machine only"
    assert head.name not in machines
    record_property(
        "calm study's end to no workers, s", round(wait_for("no workers", lambda: not workers(aws), 120))
    )

    tracked = in_mlflow(head, "calm")
    assert set(tracked) == set(found)
    assert all({"config.json", "weights"} <= set(files) for files in tracked.values())


class Most:
    """The most workers seen at once."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.number = 0

    def look(self) -> None:
        """Count."""
        self.number = max(self.number, len(workers(self.aws)))


def test_nothing_is_lost_in_a_storm(aws: Aws, head: Host, record_property: Note) -> None:
    write_space(head, "stormy", EPOCHS, TRIALS, SCENES)
    line = f"python study/launch.py --space stormy.py --store s3://{BUCKET}/second"
    storm = Storm(aws, head, "stormy", line)
    began = time.monotonic()
    storm.start()
    wait_for("two trials at once", lambda: len(storm.running()) >= 2 or storm.ended(), 900)

    with mlflow_stopped(head, 60):
        storm.wait_for_epochs(3)
        storm.fault("worker powered off, its instance terminated", lambda: aws.take_away(storm.busiest()))

        storm.wait_for_epochs(3)
        noticed = storm.busiest()
        aws.interrupt(noticed, 120)
        storm.fault("spot notice, 120 s ahead", lambda: None)
        left = wait_for("the machine to be free", lambda: noticed not in storm.busy(), 110)
        record_property("spot notice to free machine, s", round(left))
        assert "drained" in (noticed.home / "spot.log").read_text()
        if noticed in workers(aws):  # unless the autoscaler has ended the drained instance by itself
            aws.take_away(noticed)

    storm.wait_for_epochs(3)
    storm.fault("driver killed and launched again", storm.kill_and_launch_again)

    storm.wait_for_epochs(3)
    cut = storm.busiest()
    storm.fault("cable cut", cut.cut)
    cut.plug()

    storm.wait_for_epochs(3)
    victim = storm.busiest()
    storm.fault("raylet killed", lambda: print(victim.run("pkill -9 -f raylet/raylet", check=False)))

    assert storm.launcher.wait(600) == 0, storm.log()
    record_property("stormy study, s", round(time.monotonic() - began))
    for what, seconds in storm.took.items():
        record_property(f"{what}: seconds until training again", seconds)
    calm, stormy = (records(results_of(head), name) for name in ("calm", "stormy"))
    assert numbers(stormy) == numbers(calm)
    filed = runs_in_store(aws, "second", stormy)
    for key, record in stormy.items():
        times = [
            [one.get("time/train_s") for one in history]
            for history in (filed[key]["history"], record.history)
        ]
        assert times[0] == times[1], f"{key}: an epoch that had been reported was trained again"
    tracked = in_mlflow(head, "stormy")
    assert set(tracked) == set(stormy)


@contextmanager
def mlflow_stopped(head: Host, seconds: float) -> Iterator[None]:
    """MLflow's server does not answer within the block, and for so many seconds at least."""
    group = "-$(ps -o pgid= -p $(pgrep -f 'mlflow server' | head -1) | tr -d ' ')"
    head.run(f"kill -STOP -- {group}")
    began = time.monotonic()
    yield
    time.sleep(max(0, seconds - (time.monotonic() - began)))
    head.run(f"kill -CONT -- {group}")


def cut(ops: Host) -> None:
    """End the tunnel."""
    ops.run("pkill -f 'ssh -N -L 826[5]'")
    wait_for("no tunnel", lambda: "refused" in ops.run(TRY, check=False), 10)


TRY = "timeout 3 bash -c '</dev/tcp/127.0.0.1/8265'"


def test_a_laptop_submits_follows_and_looks_again(aws: Aws, head: Host) -> None:
    ops = aws.ops
    (ops.folder / "root" / "mine.py").write_text(SPACE.format(scenes=100, epochs=2, trials=2))
    forward = "ssh -N -L 8265:127.0.0.1:8265 ubuntu@" + head.address
    ops.popen(forward)
    launch = f"cd /root && PYTHONPATH={REPOSITORY} python -m study.cli launch --space mine.py --submit http://localhost:8265"
    follower = ops.popen(launch, log=ops.folder / "follow.log")
    wait_for("the job", lambda: "mine is job" in (ops.folder / "follow.log").read_text(), 60)
    cut(ops)  # the laptop sleeps
    time.sleep(10)
    ops.popen(forward)
    assert follower.wait(300) == 0, (ops.folder / "follow.log").read_text()
    printed = (ops.folder / "follow.log").read_text()
    assert "test top-1 of confirmed configurations" in printed
    assert printed.count("teachers: 1 trials") == 1, "nothing is printed twice after the connection was lost"
    status = ops.run(
        f"cd /root && PYTHONPATH={REPOSITORY} python -m study.cli status mine --submit http://localhost:8265"
    )
    assert "2 done" in status or "done" in status
    wrong = ops.run(
        f"cd /root && PYTHONPATH={REPOSITORY} RAY_AUTH_TOKEN=0000 python -m study.cli status mine"
        " --submit http://localhost:8265",
        check=False,
    )
    assert "the token is missing or wrong" in wrong
    cut(ops)
    closed = ops.run(launch, check=False)
    assert closed.startswith("error: http://localhost:8265: no job server answers")
    assert closed.count("\n") == 1


def test_a_stranger_without_the_token_gets_nothing(aws: Aws, head: Host, lab: Lab) -> None:
    stranger = lab.host("stranger", 90)
    targets = [head, *workers(aws)[:1]]
    for target in targets:
        for port in (8265, 5000, 8080, 5432):
            answer = stranger.run(f"timeout 3 bash -c '</dev/tcp/{target.address}/{port}'", check=False)
            assert "refused" in answer, f"{port} on {target.name} is open: {answer}"


def test_a_new_head_has_what_the_lost_one_knew(aws: Aws, head: Host, record_property: Note) -> None:
    before = records(results_of(head), "calm")
    on(head, "python cluster/head.py backup")
    lost = head
    for host in [*workers(aws), head]:
        aws.take_away(host)
    began = time.monotonic()
    aws.ray("up -y /root/aws.yaml")
    new = head_of(aws)
    assert new is not lost
    write_space(new, "calm", EPOCHS, TRIALS, SCENES)
    printed = on(new, "python study/launch.py --space calm.py", timeout=600)
    record_property("head lost to the study known again, s", round(time.monotonic() - began))
    assert numbers(records(results_of(new), "calm")) == numbers(before)
    assert f"search: {TRIALS} trials, {TRIALS} of them known" in printed
    assert not reports_after(new, "calm", time.time() - (time.monotonic() - began)), (
        "something was trained again"
    )
    tracked = in_mlflow(new, "calm")
    assert set(tracked) == set(before)
    aws.ray("down -y /root/aws.yaml")
    assert aws.instances() == []


def reports_after(head: Host, name: str, when: float) -> list[tuple[float, str, int]]:
    """Epochs reported since ``when``."""
    return [one for one in reports(results_of(head), name) if one[0] > when]
