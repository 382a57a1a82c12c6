"""Real multi-host clusters on one machine: hosts as namespaces on a bridge that leads nowhere else.

    with Lab(folder) as lab:
        ops = lab.host("ops", 2, sees=(REPOSITORY,))
        head = lab.host("head", 10)
        print(ops.run("ssh ubuntu@10.200.0.10 hostname"))

Needs root, for namespaces and a bridge, and sshd and rsync; see :func:`missing`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from tests.cluster.host import REPOSITORY, TIED, Host, run, wait_for

NETWORK = "10.200.0"


def missing() -> str:
    """Why the lab cannot run here; empty where it can."""
    if os.geteuid() != 0:
        return "the cluster lab needs root: it makes namespaces and a bridge"
    tools = {"sshd": "openssh-server", "rsync": "rsync", "ip": "iproute2", "unshare": "util-linux"}
    for tool, package in tools.items():
        if shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            return f"the cluster lab needs {tool} (package {package})"
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"the cluster lab cannot make namespaces: {tried.stderr.strip()}"


class Lab:
    """Context manager; leaving switches every host off."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.environment = environment or {}
        self.hosts: dict[str, Host] = {}
        self._names: dict[str, str] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Lab:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        for name in ("key", "host_key"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name)
        (self.folder / "shared").mkdir()
        os.chown(self.folder / "shared", Host.UID, Host.UID)
        holder = subprocess.Popen([*TIED, "unshare", "--net", "sleep", "infinity"])
        self._stack.callback(_end, holder)
        self.bridge = holder.pid
        wait_for("the bridge's namespace", self._apart, 10, 0.01)
        for line in ("ip link add br0 type bridge", "ip link set br0 up", "ip link set lo up"):
            run("nsenter", "-t", str(self.bridge), "-n", *line.split())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for host in self.hosts.values():
            host.power_off()
        self._stack.close()

    def _apart(self) -> bool:
        own, other = (Path(f"/proc/{pid}/ns/net").readlink() for pid in ("self", self.bridge))
        comm = Path(f"/proc/{self.bridge}/comm").read_text().strip()
        return own != other and comm == "sleep"

    def host(self, name: str, number: int, sees: tuple[Path, ...] = (), **environment: str) -> Host:
        """Start a host at ``10.200.0.<number>``."""
        folder = self.folder / name
        for part in ("etc", f"home/{Host.USER}/.ssh", "root/.ssh", "tmp"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "tmp").chmod(0o1777)
        (folder / "root").chmod(0o755)
        uid = Host.UID
        accounts = {
            "passwd": f"{Host.USER}:x:{uid}:{uid}::/home/{Host.USER}:/bin/bash\n",
            "group": f"{Host.USER}:x:{uid}:\n",
            "shadow": f"{Host.USER}:*:19000:0:99999:7:::\n",
        }
        for file, line in accounts.items():
            others = [
                old
                for old in Path("/etc", file).read_text().splitlines(keepends=True)
                if old.split(":")[0] != Host.USER and old.split(":")[2] != str(uid)
            ]
            (folder / "etc" / file).write_text("".join(others) + line)
        self._names[name] = f"{NETWORK}.{number}"
        shutil.copy(self.folder / "host_key", folder / "etc" / "host_key")
        shutil.copy(self.folder / "key.pub", folder / "etc" / "authorized_keys")
        host = Host(
            name, f"{NETWORK}.{number}", folder, self.bridge, sees, {**self.environment, **environment}
        )
        self._write_hosts()
        (folder / "etc" / "hosts").write_text(self._hosts_file())
        for home in (folder / "root", host.home):
            shutil.copy(self.folder / "key", home / ".ssh" / "id_ed25519")
            shutil.copy(self.folder / "key.pub", home / ".ssh" / "id_ed25519.pub")
            (home / ".ssh" / "config").write_text("StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n")
            (home / ".ssh").chmod(0o700)
        run("chown", "-R", f"{Host.UID}:{Host.UID}", host.home)
        self.hosts[name] = host
        host.start()
        wait_for(f"sshd on {name}", host.answers, 20, 0.05)
        return host

    def image(self, host: Host) -> None:
        """Give it the locked environment, as in an image made from a node: setup.sh finds it there."""
        lock = hashlib.sha256((REPOSITORY / "requirements.lock").read_bytes()).hexdigest()
        (host.home / ".sdd-venv-lock").write_text(f"{lock}\n")
        (host.home / "sdd-venv").symlink_to(sys.prefix)

    def forget_runs(self) -> None:
        """Empty the shared store, so that the next study has to train what an earlier one did."""
        shutil.rmtree(self.folder / "shared" / "store", ignore_errors=True)

    def _hosts_file(self) -> str:
        lines = [f"{address} {name}" for name, address in self._names.items()]
        return "\n".join(["127.0.0.1 localhost", *lines, ""])

    def _write_hosts(self) -> None:
        for host in self.hosts.values():  # bound into the hosts: written, not replaced
            with (host.folder / "etc" / "hosts").open("r+") as file:
                file.truncate()
                file.write(self._hosts_file())


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
