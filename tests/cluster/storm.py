"""What befalls a cluster, and how long until every interrupted trial was training again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.aws import Aws
from tests.cluster.host import Host, wait_for
from tests.cluster.studies import as_typed, on, records, reports

NODE = """
import json, ray
ray.init(address="auto", logging_level="ERROR", log_to_driver=False)
from ray.util.state import list_actors, list_nodes
where = {one.node_id: one.node_ip for one in list_nodes()}
busy = [one for one in list_actors(filters=[("state", "=", "ALIVE")]) if one.class_name == "ImplicitFunc"]
print("BUSY", json.dumps(sorted({where[one.node_id] for one in busy if one.node_id in where})))
"""


@dataclass
class Storm:
    """One study on the fleet while things break.

    Attributes:
        took: seconds from each fault to the next new epoch of a trial that it had interrupted.
    """

    aws: Aws
    head: Host
    name: str
    launch: str
    took: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        """Launch, in the background."""
        log = self.head.folder / f"{self.name}.log"
        self.launcher = self.head.popen(as_typed(self.launch), Host.USER, log)

    def kill_and_launch_again(self) -> None:
        """SIGKILL for the launcher on the head; the same command again."""
        mark = f"[s]tudy/launch.py --space {self.name}.py"  # not found in the command that looks for it
        self.head.run(f"kill -9 $(pgrep -f '{mark}' | tail -1)")
        self.launcher.wait(20)
        self.start()

    @property
    def results(self) -> Path:
        """The results folder on the head."""
        return self.head.home / "sdd-study" / "results"

    def epochs(self) -> int:
        """Epochs reported so far."""
        return len(reports(self.results, self.name))

    def wait_for_epochs(self, number: int, seconds: float = 900) -> None:
        """Wait until so many more epochs are in the journal."""
        wanted = self.epochs() + number
        wait_for(f"{number} more epochs", lambda: self.epochs() >= wanted or self.ended(), seconds)
        assert not self.ended(), self.log()

    def ended(self) -> bool:
        """Whether the launcher has ended."""
        return self.launcher.poll() is not None

    def log(self) -> str:
        """What the launcher printed."""
        return (self.head.folder / f"{self.name}.log").read_text()[-5000:]

    def running(self) -> set[str]:
        """Keys of trials that are under way."""
        found = records(self.results, self.name)
        return {key for key, one in found.items() if one.status == "running" and one.history}

    def busiest(self) -> Host:
        """A machine with a trial on it, as soon as there is one."""
        found: list[Host] = []

        def one() -> bool:
            assert not self.ended(), self.log()
            found[:] = self.busy()
            return bool(found)

        wait_for("a trial on some machine", one, 300)
        return found[0]

    def busy(self) -> list[Host]:
        """Machines with a trial on them."""
        (self.head.home / "busy.py").write_text(NODE)
        said = on(self.head, "python ~/busy.py").splitlines()
        line = next(one for one in said if one.startswith("BUSY"))
        return [self.aws.machines[address] for address in json.loads(line.removeprefix("BUSY"))]

    def fault(self, what: str, do: Callable[[], None], seconds: float = 600) -> None:
        """Do it, and wait until all trials that were under way have reported since, or the study is over."""
        hit = self.running()
        do()
        at = time.time()

        def again() -> bool:
            since = {key for when, key, _ in reports(self.results, self.name) if when > at}
            return hit & self.running() <= since or self.ended()

        wait_for(f"training after: {what}", again, seconds)
        firsts = {
            key: min(when for when, one, _ in reports(self.results, self.name) if when > at and one == key)
            for key in hit & {key for when, key, _ in reports(self.results, self.name) if when > at}
        }
        self.took[what] = round(max(firsts.values(), default=at) - at, 1)
