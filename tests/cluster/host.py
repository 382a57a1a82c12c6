"""A host: a process tree with a network, a file system view and a host name of its own, and a cable.

Nothing on disk outside the lab's folder is touched, no namespace is given a name: when its first process is
gone, by a kill or because the test was killed, so is the host.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
IMDS = "169.254.169.254"
TIED = ["setpriv", "--pdeathsig", "KILL"]  # gone with the test, whatever ends it

INIT = """
set -e
hostname {name}
mount -t tmpfs tmpfs /mnt
{stage}
mount --bind {folder}/etc/hosts /etc/hosts
mount --bind {folder}/etc/passwd /etc/passwd
mount --bind {folder}/etc/group /etc/group
mount --bind {folder}/etc/shadow /etc/shadow
mkdir /mnt/own /mnt/shared
mount --bind {folder} /mnt/own
mount --bind {folder}/../shared /mnt/shared
mount -t tmpfs -o size=8g tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mkdir -m 755 /run/sshd /run/postgresql && chown {uid}:{uid} /run/postgresql
for place in home root tmp; do mount --bind /mnt/own/$place /$place; done
{hide}
{unstage}
until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
ip link set lo up
ip addr add {imds}/32 dev lo
ip addr add {address}/24 dev eth0
ip link set eth0 up
exec /usr/sbin/sshd -D -e -f /mnt/own/etc/sshd_config 2>/mnt/own/sshd.log
"""

HIDE = f"if [ -d {REPOSITORY} ]; then mount -t tmpfs tmpfs {REPOSITORY}; fi"

SSHD = """
ListenAddress {address}
HostKey /mnt/own/etc/host_key
AuthorizedKeysFile /mnt/own/etc/authorized_keys
StrictModes no
UsePAM no
PidFile none
MaxSessions 60
MaxStartups 60
PermitRootLogin yes
SetEnv {environment}
"""


def run(*command: str | Path, **options: object) -> str:
    """A command's output; raises with what it said when it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done.stdout


def wait_for(what: str, condition: object, seconds: float, every: float = 0.5) -> float:
    """Wait until ``condition()`` is true; the seconds it took."""
    began = time.monotonic()
    while not condition():  # type: ignore[operator]
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(every)
    return time.monotonic() - began


@dataclass
class Host:
    """One machine of the lab; made by :class:`tests.cluster.lab.Lab`.

    Attributes:
        folder: its files: home, root, tmp, etc; it has them at /mnt/own, beside what all hosts share at
            /mnt/shared; readable from outside while it runs and afterwards.
        sees: folders of this machine that are visible in it, besides the Python it shares with all hosts. The
            repository is hidden unless it is among them: code comes by `ray up` or with a job, or not at all.
        environment: of sessions over SSH.
    """

    name: str
    address: str
    folder: Path
    bridge: int
    sees: tuple[Path, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    pid: int = 0
    _process: subprocess.Popen[bytes] | None = None

    UID = 1000
    USER = "ubuntu"

    @property
    def home(self) -> Path:
        """The user's home, seen from outside."""
        return self.folder / "home" / self.USER

    @property
    def kept(self) -> list[Path]:
        """What it sees of this machine in places that are its own otherwise."""
        return [Path(sys.base_prefix), Path(sys.prefix), *self.sees]

    @property
    def cable(self) -> str:
        """Its end of the cable at the bridge."""
        return f"port{self.address.rsplit('.', 1)[1]}"

    def start(self) -> None:
        """Switch it on; a host that was powered off comes back with its disk as it was."""
        (self.folder / "etc" / "sshd_config").write_text(
            SSHD.format(
                address=self.address,
                environment=" ".join(f"{name}={value}" for name, value in self.environment.items()) or "A=1",
            )
        )
        script = INIT.format(
            name=self.name,
            folder=self.folder,
            uid=self.UID,
            address=self.address,
            imds=IMDS,
            stage=_stage(self.kept),
            hide="" if REPOSITORY in self.sees else HIDE,
            unstage=_unstage(self.kept),
        )
        apart = ["--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"]
        with (self.folder / "init.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*TIED, "unshare", *apart, "bash", "-c", script], stdout=log, stderr=log
            )
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        wait_for(f"{self.name}'s first process", lambda: children.read_text().strip(), 10, 0.01)
        self.pid = int(children.read_text().split()[0])
        if (
            subprocess.run(self._at_bridge("ip", "link", "show", self.cable), capture_output=True).returncode
            == 0
        ):
            self._switch("ip", "link", "delete", self.cable)  # of its life before; the kernel takes its time
        peer = ["peer", "name", "eth0", "netns", str(self.pid)]
        self._switch("ip", "link", "add", self.cable, "type", "veth", *peer)
        self._switch("ip", "link", "set", self.cable, "master", "br0", "up")

    def answers(self) -> bool:
        """Whether sshd listens."""
        listening = subprocess.run(self._inside("ss", "-ltn"), capture_output=True, text=True, check=False)
        return f"{self.address}:22 " in listening.stdout

    def _at_bridge(self, *command: str) -> list[str]:
        return ["nsenter", "-t", str(self.bridge), "-n", *command]

    def _switch(self, *command: str) -> None:
        run(*self._at_bridge(*command))

    def _inside(self, *command: str) -> list[str]:
        return ["nsenter", "-t", str(self.pid), "-m", "-n", "-p", "-u", "-i", *command]

    def command(self, line: str, user: str | None = None) -> list[str]:
        """The words that run a shell line inside, as ``user`` (root)."""
        home = f"/home/{user}" if user else "/root"
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        own = [f"{name}={value}" for name, value in self.environment.items()]
        who = ["runuser", "-u", user, "--"] if user else []
        env = ["env", "-i", f"HOME={home}", f"PATH={path}", "LANG=C.UTF-8", *own]
        return self._inside(*who, *env, "bash", "-c", line)

    def run(self, line: str, user: str | None = None, timeout: float = 120, check: bool = True) -> str:
        """Run a shell line inside; its output."""
        done = subprocess.run(
            self.command(line, user), capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode:
            raise RuntimeError(f"{self.name}: {line}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def popen(self, line: str, user: str | None = None, log: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a shell line inside; what it prints goes to ``log``."""
        with (log or self.folder / "run.log").open("ab") as file:
            return subprocess.Popen([*TIED, *self.command(line, user)], stdout=file, stderr=file)

    def cut(self) -> None:
        """Pull the cable."""
        self._switch("ip", "link", "set", self.cable, "down")

    def plug(self) -> None:
        """Put the cable back."""
        self._switch("ip", "link", "set", self.cable, "up")

    def power_off(self) -> None:
        """End every process of the host at once."""
        if self._process is None:
            return
        if self.pid and self._process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)
        self._process, self.pid = None, 0


def _stage(kept: list[Path]) -> str:
    lines = []
    for number, path in enumerate(kept):
        lines += [f"mkdir /mnt/kept{number}", f"mount --bind {path} /mnt/kept{number}"]
    return "\n".join(lines)


def _unstage(kept: list[Path]) -> str:
    lines = []
    for number, path in enumerate(kept):
        bind = f"mount --bind /mnt/kept{number} {path} && mount -o remount,bind,ro {path}"
        lines.append(f"mkdir -p {path} && {bind}")
    return "\n".join(lines)
