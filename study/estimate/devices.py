"""Knows how fast devices are beside each other, and what machines cost an hour: stated data, in two tables.

``devices.csv`` has the memory bandwidth of each GPU, from its maker's data sheet: steps of networks this
small wait for memory and for launches, not for arithmetic, so speeds are taken in proportion to it.
``machines.csv`` has approximate prices in US dollars an hour in us-west-2, none of them looked up: they
give an order of magnitude. Both tables were written from memory of their sources.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from study.errors import UserError, suggestion
from study.spec.study import Resources

CORE = "core"
"""Device that is one core of this machine."""

L4_RATE = 6e12
"""Multiply-adds a second at which a small network trains on an L4: a tenth of what its data sheet has for
dense bf16 (121 TFLOP/s). An assumption, where no GPU is here to be timed; a factor of three either way."""

NODE_PRICE = 0.03
"""Disk and address of each node, dollars an hour (cluster/README.md)."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Holds the devices that a study would run on, and what they cost.

    Attributes:
        count: devices at once.
        device: a name of ``devices.csv``, or :data:`CORE`.
        price: dollars an hour for all of it, lowest and highest; None where no price is stated.
        about: what the price is of.
    """

    count: int
    device: str
    price: tuple[float, float] | None = None
    about: str = ""

    @property
    def label(self) -> str:
        """Name as ``--on`` has it: ``8xL4``."""
        return f"{self.count}x{self.device}"


def rate(device: str) -> float:
    """Return the multiply-adds a second at which small networks train on a GPU of ``devices.csv``.

    >>> rate("L4") == L4_RATE, round(rate("H100") / rate("L4"), 1)
    (True, 11.2)
    """
    known = {row["device"]: float(row["memory_gb_per_s"]) for row in _table("devices.csv")}
    return L4_RATE * known[device] / known["L4"]


def devices() -> list[str]:
    """Name the devices that ``--on`` takes."""
    return [CORE, *(row["device"] for row in _table("devices.csv"))]


def known_gpu(name: str) -> str | None:
    """Return the entry for a GPU by the name that its driver gives it.

    >>> known_gpu("NVIDIA A100-SXM4-80GB"), known_gpu("NVIDIA H100 80GB HBM3"), known_gpu("Unheard of")
    ('A100-80GB', 'H100', None)
    """
    words = re.findall(r"[A-Z0-9]+", name.upper())
    found = [device for device in devices()[1:] if device.split("-")[0] in words]
    large = [device for device in found if "-" in device and device.split("-")[1] in words]
    return next(iter([*large, *(device for device in found if "-" not in device)]), None)


def fleet_here(device: str, wanted: Resources) -> Fleet:
    """Return what this machine has for trials.

    Args:
        device: that trials were timed on: :data:`CORE`, or a GPU by its driver's name.
    """
    if device == CORE:
        return Fleet(max(1, len(os.sched_getaffinity(0)) // wanted.cpus_per_trial), CORE)
    import torch

    return Fleet(torch.cuda.device_count(), known_gpu(device) or device)


def fleet_of(text: str) -> Fleet:
    """Return what ``--on`` names: ``8xL4``, or the file of a cluster.

    >>> fleet_of("8xL4")
    Fleet(count=8, device='L4', price=None, about='')

    Raises:
        UserError: it is neither.
    """
    if text.endswith((".yaml", ".yml")):
        return _cluster(Path(text))
    match = re.fullmatch(r"(?:([1-9]\d*)x)?(.+)", text.strip())
    assert match is not None or not text.strip()
    name = match[2] if match else ""
    for device in devices():
        if device.lower() == name.lower():
            return Fleet(int(match[1] or 1) if match else 1, device)
    raise UserError(
        f"--on: '{text}' is no device; {suggestion(name, devices())}, as 8xL4, or a cluster's yaml"
    )


def _cluster(path: Path) -> Fleet:
    """Return the fleet that a file of Ray's cluster launcher grows to, of its first kind of worker."""
    import yaml

    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
        kinds: Mapping[str, Any] = written["available_node_types"]
        head = kinds[written["head_node_type"]]
        worker = next(kind for name, kind in kinds.items() if name != written["head_node_type"])
        count = min(int(worker.get("max_workers", 1)), int(written.get("max_workers", 1)))
        names = [kind["node_config"]["InstanceType"] for kind in (head, worker)]
    except OSError as error:
        raise UserError(f"--on: {path}: {error.strerror}") from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError, StopIteration):
        raise UserError(
            f"--on: {path} names no workers by InstanceType; say the devices themselves, as 8xL4"
        ) from None
    machines = {row["instance"]: row for row in _table("machines.csv")}
    for name in names:
        if name not in machines:
            raise UserError(f"--on: {path}: the price of {name} is not known; say the devices, as 8xL4")
    fixed, each = machines[names[0]], machines[names[1]]
    spot = worker["node_config"].get("InstanceMarketOptions", {}).get("MarketType") == "spot"
    ends = ("spot_low", "spot_high") if spot else ("on_demand", "on_demand")
    low, high = (
        float(fixed["on_demand"]) + NODE_PRICE + count * (float(each[end]) + NODE_PRICE) for end in ends
    )
    about = f"head {names[0]}, {count} x {names[1]} {'spot' if spot else 'on demand'}"
    return Fleet(count * int(each["devices"]), each["device"], (low, high), about)


def _table(name: str) -> list[dict[str, str]]:
    text = files("study.estimate").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
