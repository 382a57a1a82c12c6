"""Watches a spot machine's metadata and leaves in good order when AWS takes the machine back.

    spot.py --background

AWS says so two minutes ahead. Then Ray is told to drain the node, so that nothing new is placed here, and the
file $SDD_LEAVING appears: trials on this machine end after the epoch they are in, which is checkpointed, and
go on elsewhere. Nothing in Ray reads the notice by itself.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

IMDS = "http://169.254.169.254/latest"
EVERY_S = 2.0
TOKEN_LIFE_S = 21600


def main() -> int:
    """Watch until the notice comes; exit code 0 when the node was drained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--background", action="store_true", help="return at once; log to ~/spot.log")
    args = parser.parse_args()
    leaving = Path(os.environ.get("SDD_LEAVING", "/tmp/sdd-study.leaving"))
    leaving.unlink(missing_ok=True)
    if args.background:
        with (Path.home() / "spot.log").open("ab") as log:
            subprocess.Popen([sys.executable, __file__], stdout=log, stderr=log, start_new_session=True)
        return 0
    only_one()
    say("watching for a spot notice")
    while True:
        seconds = notice()
        if seconds is not None:
            say(f"this machine goes in {seconds:.0f} s")
            code = drain(seconds)  # first, so that what leaves is not placed here again
            leaving.touch()
            return code
        time.sleep(EVERY_S)


def only_one() -> None:
    """End an older watcher of this machine: ``ray up`` starts one each time."""
    mine = Path.home() / ".spot.pid"
    if mine.exists():
        old = Path("/proc", mine.read_text().strip(), "cmdline")
        if old.exists() and b"spot.py" in old.read_bytes():
            os.kill(int(mine.read_text()), 15)
    mine.write_text(str(os.getpid()))


def notice() -> float | None:
    """Seconds until this machine is taken; None while it is not."""
    try:
        header = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_LIFE_S)}
        token = ask("api/token", "PUT", header)
        said = ask("meta-data/spot/instance-action", "GET", {"X-aws-ec2-metadata-token": token})
        when = datetime.datetime.fromisoformat(json.loads(said)["time"].replace("Z", "+00:00"))
    except (OSError, ValueError, KeyError):  # 404 while there is none; a hiccup is asked again
        return None
    return max(0.0, (when - datetime.datetime.now(datetime.UTC)).total_seconds())


def ask(path: str, method: str, headers: dict[str, str]) -> str:
    """One request to the metadata service."""
    request = urllib.request.Request(f"{IMDS}/{path}", method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=2) as answer:
        text: str = answer.read().decode()
    return text


def drain(seconds: float) -> int:
    """Tell Ray; tried again until the machine is gone."""
    reason = ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "spot notice"]
    end = time.monotonic() + seconds
    while True:
        left = max(0, int(end - time.monotonic()))
        done = subprocess.run(
            ["ray", "drain-node", *reason, "--deadline-remaining-seconds", str(left)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            say("drained")
            return 0
        say(f"drain: {' '.join((done.stdout + done.stderr).split())[-300:]}")
        if not left:
            return 1
        time.sleep(2)


def say(text: str) -> None:
    """A line with the time."""
    print(f"{datetime.datetime.now(datetime.UTC):%H:%M:%S} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
