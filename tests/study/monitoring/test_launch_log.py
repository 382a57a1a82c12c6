"""What modules log is told on the terminal and kept with times; libraries print none of it a second time."""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path

import pytest
from rich.console import Console

from study.monitoring.launch_log import LOGGERS, LaunchLog

log = logging.getLogger("study.stages.search")


def test_the_file_has_all_with_times_and_the_terminal_the_messages(tmp_path: Path) -> None:
    console, file = Console(file=io.StringIO(), width=40), tmp_path / "launch.log"
    file.write_text("2026-01-01 an earlier launch\n")
    with LaunchLog(console) as launch_log:
        log.info("before the study may be written, {1,2} [bold] 100 %")
        assert file.read_text().count("\n") == 1
        launch_log.keep_in(file)
        log.warning("a teacher that knows — little")
        try:
            raise ValueError("odd")
        except ValueError:
            log.debug("the launch ends early", exc_info=True)
    log.info("after it")
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == (
        "before the study may be written, {1,2} [bold] 100 %\na teacher that knows — little\n"
    )
    lines = file.read_text(encoding="utf-8").splitlines()
    when = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
    assert lines[0] == "2026-01-01 an earlier launch"
    assert re.fullmatch(rf"{when} INFO    study\.stages\.search: before .*100 %", lines[1])
    assert re.fullmatch(rf"{when} WARNING study\.stages\.search: a teacher that knows — little", lines[2])
    assert "Traceback" in lines[4]
    assert lines[-1] == "ValueError: odd"


def test_loggers_are_as_they_were_afterwards(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with LaunchLog(Console(file=io.StringIO())) as launch_log:
        launch_log.keep_in(tmp_path / "launch.log")
        log.warning("ours")
    assert caplog.text == "", "handlers of the root logger print it again"
    log.warning("theirs")
    assert "theirs" in caplog.text
    for name in LOGGERS:
        logger = logging.getLogger(name)
        assert (logger.handlers, logger.propagate, logger.level) == ([], True, logging.NOTSET)
