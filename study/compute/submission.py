"""Runs studies on a cluster from elsewhere: a command is sent as a Ray job, its output is followed.

The job lives on the cluster. When the connection is lost, as in a laptop's sleep, it is taken up again; when
the follower is ended, the job goes on, and the same command follows it again.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from study.compute.ray_private import version_at
from study.compute.working_dir import code
from study.errors import INTERRUPTED, WRONG_INPUT, ClusterError
from trainables.errors import one_line

PYTHON = "python -m study.cli"
ON_THE_HEAD = '--results "${SDD_RESULTS:-$HOME/results}"'
TUNNEL = "ray attach cluster/aws.yaml --port-forward 8265"
ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
AGAIN_AFTER_S = 2.0
GIVE_UP_AFTER_S = float(os.environ.get("SDD_FOLLOW_S", 24 * 3600))
"""Seconds without any connection after which following ends; the job does not."""


def connect(url: str) -> Any:
    """Connect to the job server at ``url`` and return its client.

    Raises:
        ClusterError: nothing answers there, the token is refused, or another Ray runs there.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    import logging

    import ray
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    for noisy in ("ray", "ray.dashboard.modules.job.sdk"):
        logging.getLogger(noisy).setLevel(logging.ERROR)  # uploads, closed sockets: nothing to act on
    if not url.startswith(("http://", "https://")):
        raise ClusterError(f"--submit {url}: not an address such as http://localhost:8265")
    try:
        client = JobSubmissionClient(url)
        there = version_at(client)
    except AuthenticationError as error:
        raise ClusterError(
            f"{url}: refused, the token is missing or wrong ({one_line(error)}); it is in ~/.ray/auth_token "
            "of the machine that ran ray up"
        ) from None
    except (ConnectionError, RuntimeError, OSError) as error:
        raise ClusterError(
            f"{url}: no job server answers ({one_line(error)}); is the tunnel open? {TUNNEL}"
        ) from None
    if there != ray.__version__:
        raise ClusterError(
            f"{url}: the cluster runs Ray {there}, this machine {ray.__version__}; install the other's "
            "requirements.lock, or ray up again with this checkout"
        )
    return client


def launch(url: str, study: str, space: str, words: Sequence[str], dry: bool = False) -> int:
    """Launch ``study`` on the cluster, or follow it where it runs there; return its launcher's exit code.

    Args:
        space: the space file, or the name of a shipped one.
        words: options of ``launch`` to go with it.
        dry: only print what it would do there.
    """
    client = connect(url)
    file = Path(space)
    own = file if file.is_file() else None
    options = ["launch", "--space", f"space/{file.name}" if own else space, *words]
    if dry:
        return follow(client, _send(client, [*options, "--dry-run"], own, {"command": "dry run"}), url)
    running = [job for job in client.list_jobs() if _is(job, study) and job.status not in ENDED]
    if running:
        print(f"{study} runs there already, as job {running[0].submission_id}; following it")
        return follow(client, running[0].submission_id, url)
    job = _send(client, options, own, {"study": study, "command": "launch"})
    print(f"{study} is job {job}; Ctrl-C ends following it, not the study")
    return follow(client, job, url)


def command(url: str, words: Sequence[str]) -> int:
    """Run another command of ``sdd-study`` on the head, print what it prints, and return its exit code."""
    client = connect(url)
    return follow(client, _send(client, words, None, {"command": words[0]}), url)


def _is(job: Any, study: str) -> bool:
    return (job.metadata or {}).get("study") == study and (job.metadata or {}).get("command") == "launch"


def _send(client: Any, words: Sequence[str], space: Path | None, about: dict[str, str]) -> str:
    """Submit a command; ``--results`` is the head's unless the words say otherwise."""
    where = "" if any(word.startswith("--results") for word in words) else f" {ON_THE_HEAD}"
    with code(space) as folder:
        job: str = client.submit_job(
            entrypoint=f"{PYTHON} {shlex.join(words)}{where}",
            runtime_env={
                "working_dir": str(folder),
                "env_vars": {"PYTHONUNBUFFERED": "1", "COLUMNS": "160"},
            },
            metadata=about,
        )
    return job


def follow(client: Any, job: str, url: str) -> int:
    """Print a Ray job's output until it ends, over lost connections, and return its exit code."""
    printed, heard = 0, time.monotonic()
    try:
        while True:
            try:
                info = client.get_job_info(job)
                if info.status in ENDED:
                    sys.stdout.write(client.get_job_logs(job)[printed:])
                    sys.stdout.flush()
                    return _code(info)
                printed = asyncio.run(_tail(client, job, printed))
                heard = time.monotonic()
            except Exception as error:  # whatever a lost connection raises, in Ray, aiohttp or requests
                if time.monotonic() - heard > GIVE_UP_AFTER_S:
                    raise ClusterError(
                        f"{url}: lost for too long ({one_line(error)}); job {job} goes on"
                    ) from None
            time.sleep(AGAIN_AFTER_S)
    except KeyboardInterrupt:
        print(
            f"\nthe study goes on as job {job}; the same command follows it again, and\n"
            f"  ray job stop {job} --address {url}\nends it"
        )
        return INTERRUPTED


async def _tail(client: Any, job: str, printed: int) -> int:
    """Print what comes after the first ``printed`` characters; return how many are printed when it ends."""
    seen = 0
    try:
        async for text in client.tail_job_logs(job):
            fresh = text[max(0, printed - seen) :]
            seen += len(text)
            sys.stdout.write(fresh)
            sys.stdout.flush()
            printed = max(printed, seen)
    except Exception:  # broken off: what was printed has to be remembered
        return printed
    return printed


def _code(info: Any) -> int:
    if info.status == "SUCCEEDED":
        return 0
    if info.driver_exit_code is not None:
        return int(info.driver_exit_code)
    print(f"error: job {info.submission_id} {info.status.lower()}: {info.message}", file=sys.stderr)
    return INTERRUPTED if info.status == "STOPPED" else WRONG_INPUT
