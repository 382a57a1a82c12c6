"""The head's services: PostgreSQL, the MLflow server, Optuna's dashboard, and backups on a timer.

    head.py up        start them and wait until they answer; nothing happens to those that run
    head.py backup    back up now, as before `ray down`
    head.py down      a last backup, then stop them

PostgreSQL listens on a socket in a folder of this user alone, MLflow (5000) and the dashboard (8080) on
127.0.0.1: nothing of it is on the network. A service that dies is started again. A head without databases
takes the last backup from $SDD_BACKUP (s3://bucket/prefix or a folder), where one is made every ten minutes.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import databases

PLACE = Path.home() / "sdd-head"
PID = PLACE / "pid"
BACKUP_EVERY_S = float(os.environ.get("SDD_BACKUP_EVERY_S", "600"))
START_WITHIN_S = 600
AGAIN_AFTER_S = 2.0


def main() -> int:
    """One of up, backup, down, or the supervisor itself."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["up", "backup", "down", "supervise"])
    what = parser.parse_args().what
    PLACE.mkdir(mode=0o700, exist_ok=True)
    return {"up": up, "backup": backup, "down": down, "supervise": supervise}[what]()


def up() -> int:
    """Start the supervisor unless it runs, and wait for what it starts."""
    if running() is None:
        with (PLACE / "head.log").open("ab") as log:
            subprocess.Popen(
                [sys.executable, __file__, "supervise"], stdout=log, stderr=log, start_new_session=True
            )
    end = time.monotonic() + START_WITHIN_S
    for name, answers in (("PostgreSQL", databases.answers), ("MLflow", http(5000)), ("Optuna", http(8080))):
        while not answers():
            if time.monotonic() > end:
                print(f"error: {name} has not started; see {PLACE}/*.log", file=sys.stderr)
                return 1
            time.sleep(0.5)
        print(f"{name} answers")
    return 0


def down() -> int:
    """End the supervisor, which backs up and ends the services."""
    pid = running()
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        while running() is not None:
            time.sleep(0.2)
    return 0


def backup() -> int:
    """Back up now."""
    print(databases.backup())
    return 0


def running() -> int | None:
    """The supervisor's pid, if there is one."""
    try:
        pid = int(PID.read_text())
        return pid if b"supervise" in Path(f"/proc/{pid}/cmdline").read_bytes() else None
    except (OSError, ValueError):
        return None


def supervise() -> int:
    """Run the services until SIGTERM."""
    PID.write_text(str(os.getpid()))
    signal.signal(signal.SIGTERM, _leave)
    services: dict[str, subprocess.Popen[bytes]] = {}
    failed: dict[str, float] = {}
    try:
        databases.prepare()
        services["postgres"] = start("postgres", databases.server())
        while not databases.answers():
            time.sleep(0.1)
        print(databases.fill(), flush=True)
        backed_up = time.monotonic()
        while True:
            for name, command in commands().items():
                if name in services and services[name].poll() is None:
                    continue
                if time.monotonic() - failed.get(name, -AGAIN_AFTER_S) >= AGAIN_AFTER_S:
                    failed[name] = time.monotonic()
                    services[name] = start(name, command)
            if time.monotonic() - backed_up >= BACKUP_EVERY_S:
                backed_up = time.monotonic()
                attempt(databases.backup)
            time.sleep(0.5)
    except KeyboardInterrupt:
        attempt(databases.backup)
    finally:
        for name in reversed(services):
            # SIGINT is PostgreSQL's fast shutdown: clients are let go of, nothing is lost
            services[name].send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
            services[name].wait()
    return 0


def commands() -> dict[str, list[str]]:
    """What runs: name -> command."""
    here = Path(sys.executable).parent
    artifacts = os.environ.get("SDD_ARTIFACTS") or str(PLACE / "artifacts")
    local = ["--host", "127.0.0.1"]
    mlflow = [str(here / "mlflow"), "server", *local, "--port", "5000", "--workers", "1"]
    return {
        "postgres": databases.server(),
        "mlflow": [
            *mlflow,
            "--backend-store-uri",
            databases.url("mlflow"),
            "--artifacts-destination",
            artifacts,
        ],
        "optuna": [str(here / "optuna-dashboard"), *local, "--port", "8080", databases.url("optuna")],
    }


def start(name: str, command: list[str]) -> subprocess.Popen[bytes]:
    """Start a service; its output goes to ~/sdd-head/NAME.log."""
    print(f"{time.strftime('%F %T')} starting {name}", flush=True)
    # the services are no clients of what this node's study is told to use
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "RAY_"))}
    kept["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # evaluation of language models: not here
    with (PLACE / f"{name}.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=kept, start_new_session=True)


def attempt(task: Callable[[], str]) -> None:
    """Do it; a failure is told in the log and tried again next time."""
    try:
        print(f"{time.strftime('%F %T')} {task()}", flush=True)
    except Exception as error:
        print(f"{time.strftime('%F %T')} backup failed: {error}", flush=True)


def http(port: int) -> Callable[[], bool]:
    """Whether a page answers."""

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as page:
                return bool(page.status == 200)
        except OSError:
            return False

    return answers


def _leave(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
