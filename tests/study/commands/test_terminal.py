"""Output goes to any terminal, outlives its reader, and a lost terminal ends a launch as SIGTERM does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from study.api.running import raise_on_signals

ROOT = Path(__file__).parents[3]


def python(code: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a program that prints."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )


PRINTS = """
from study.commands.terminal import print_on_any_terminal
from rich.console import Console

print_on_any_terminal()
print("a — b")
Console(highlight=False).print("83.1 ± 2.0 … 学")
"""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_character_can_be_printed_whatever_the_encoding(encoding: str) -> None:
    done = python(PRINTS, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    expected = {
        "ascii": "a - b\n83.1 +/- 2.0 ... ?\n",
        "latin-1": "a - b\n83.1 ± 2.0 ... ?\n",
        "utf-8": "a — b\n83.1 ± 2.0 … 学\n",
    }
    assert done.stdout.decode(encoding) == expected[encoding]


GOES_ON = """
import sys
from rich.console import Console
from study.commands.terminal import outlive_readers

outlive_readers()
console = Console()
for number in range(20_000):
    console.print("a line that nobody reads")
    print("nor this", flush=True)
open(sys.argv[1], "w").write("went on")
"""


def test_what_prints_goes_on_when_its_reader_has_left(tmp_path: Path) -> None:
    file = tmp_path / "end"
    command = f'"{sys.executable}" -c \'{GOES_ON}\' "{file}" | head -1; exit "${{PIPESTATUS[0]}}"'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "a line that nobody reads\n", "")
    assert file.read_text() == "went on"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_ending_signal_interrupts(number: signal.Signals) -> None:
    kept = signal.signal(number, signal.SIG_DFL)  # whatever these tests were started with, such as nohup
    before = raise_on_signals()
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    finally:
        for one, answer in {**before, number: kept}.items():
            signal.signal(one, answer)


def test_nohup_is_respected() -> None:
    kept = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    before = raise_on_signals()
    try:
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        for one, answer in {**before, signal.SIGHUP: kept}.items():
            signal.signal(one, answer)
