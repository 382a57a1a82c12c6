"""Memory that a step frees stays with the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from trainables.engine.allocator import keep_freed_memory

STEPS = """
import resource, sys
import torch
from trainables.engine.allocator import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()

def step():
    # 40 MB each: blocks below 32 MB glibc begins to keep by default too, but for those that end its heap
    return sum(block.sum() for block in [torch.ones(10_000_000) for _ in range(4)])

for _ in range(5):  # what is small and stays finds its place between the blocks
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_a_step_s_memory_is_not_given_back_and_cleared_again() -> None:
    if not keep_freed_memory():
        pytest.skip("another C library than glibc")
    faults = {}
    for how in ("default", "kept"):
        done = subprocess.run(
            [sys.executable, "-c", STEPS, how], capture_output=True, text=True, check=True, timeout=120
        )
        faults[how] = int(done.stdout)
    assert faults["kept"] < faults["default"] / 10
