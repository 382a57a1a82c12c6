"""Space files as editors and people leave them: what loads, and computes the same in a trial's process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from study.compute.working_dir import code
from study.loading import load_space
from tests.inputs.case import Case, Read, Refused, hold, table
from trainables.losses import logit_loss_fingerprint
from trainables.losses.catalog import LOGIT_LOSSES
from trainables.losses.user_losses import registered_sources

STUDY = """
STUDY = StudySpec(
    data=Data(name="cluttered_digits", validation=0.2, options={"scenes": 100, "test": 100}),
    pairs=[Pair("resnet8", "resnet8")],
    methods=[SDD(base="own", scales=(1, 2))],
    training=Training(epochs=1, batch_size=32, milestones=(), precision="float32"),
)
"""
HEAD = """\
from study.spec import *
from trainables.losses import register_logit_loss
"""
LOSS = '''
@register_logit_loss("own")
def own(student, teacher, target, *, power=2.0):
    """Größe: [N, K] -> [N]."""
    return (student - teacher).abs().pow(power).mean(dim=1)
'''
CALLS = LOSS.replace("(student - teacher).abs().pow(power)", "distance(student, teacher, power)")
DISTANCE = "def distance(a, b, power):\n    return (a - b).abs().pow(power)\n"

TRIAL_PROCESS = """
import json, sys
from trainables.losses.user_losses import run_sources
from trainables.losses import logit_loss, logit_loss_fingerprint
run_sources(json.load(sys.stdin))
import torch
value = logit_loss("own", power=3.0)(torch.full((2, 4), 2.0), torch.zeros(2, 4), torch.zeros(2).long())
print(json.dumps([value.tolist(), logit_loss_fingerprint("own")]))
"""

Make = Callable[[Path], Path]


def space(text: str, encoding: str = "utf-8", **beside: str) -> Make:
    """A space file of this text, with files beside it; ``_in_`` in a name stands before its folder."""

    def make(place: Path) -> Path:
        (place / "own.py").write_bytes(text.encode(encoding))
        for name, inside in beside.items():
            stem, _, folder = name.partition("_in_")
            file = place / folder / f"{stem}.py"
            file.parent.mkdir(exist_ok=True)
            file.write_text(inside)
        return place / "own.py"

    return make


WHOLE = HEAD + LOSS + STUDY
IMPORTS = HEAD + "from helpers import distance\n" + CALLS + STUDY
EDITORS = (
    Case("as Unix has it", space(WHOLE), Read()),
    Case("with a byte order mark", space(WHOLE, "utf-8-sig"), Read()),
    Case("with Windows' line ends", space(WHOLE.replace("\n", "\r\n")), Read()),
    Case("with both", space(WHOLE.replace("\n", "\r\n"), "utf-8-sig"), Read()),
    Case("with old Macs' line ends", space(WHOLE.replace("\n", "\r")), Read()),
    Case("with a coding line", space("# -*- coding: latin-1 -*-\n" + WHOLE, "latin-1"), Read()),
    Case("in an encoding it does not tell", space(WHOLE, "latin-1"), Refused("own.py: .*(utf-8|encoding)")),
    Case("with a coding line that is none", space("# coding: klingon\n" + WHOLE), Refused("own.py: .*klingon")),
    Case("with a zero byte", space(WHOLE + "\0"), Refused("own.py.* null bytes")),
    Case("of nothing", space(""), Refused("defines no STUDY")),
)  # fmt: skip
MODULES = (
    Case("that imports from a file beside it", space(IMPORTS, helpers=DISTANCE), Read()),
    Case("that imports inside a function", space(HEAD + CALLS.replace("    return", "    from helpers import distance\n    return") + STUDY, helpers=DISTANCE), Read()),
    Case("that imports what imports", space(IMPORTS, helpers="from more import distance\n", more=DISTANCE), Read()),
    Case("with a package beside it", space(HEAD + "from parts.near import distance\n" + CALLS + STUDY, __init___in_parts="", near_in_parts="from .far import distance\n", far_in_parts=DISTANCE), Read()),
    Case("with a folder of modules beside it", space(HEAD + "import parts.far\n" + CALLS.replace("distance(", "parts.far.distance(") + STUDY, far_in_parts=DISTANCE), Read()),
    Case("whose loss is in a file beside it", space(HEAD + "import losses_of_mine\n" + STUDY, losses_of_mine=HEAD + LOSS), Read()),
    Case("whose loss has the future's annotations", space('"""Why."""\nfrom __future__ import annotations\n' + IMPORTS, helpers="from __future__ import annotations\n" + DISTANCE), Read()),
    Case("with files named like the standard library's", space(WHOLE, random="1 / 0", study="1 / 0", trainables="1 / 0"), Read()),
    Case("with a slip in a file beside it", space(IMPORTS, helpers="def distance(:\n"), Refused(r"helpers.py, line 1: invalid syntax")),
    Case("with a module that is missing", space(IMPORTS), Refused(r"own.py, line 3: ModuleNotFoundError: No module named 'helpers'")),
    Case("with a module named like one in use", space("import pytest\n" + WHOLE, pytest=""), Refused("pytest.py beside the space file has the name of a module in use; rename it")),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    path = list(sys.path)
    yield
    assert sys.path == path


def computed_there(folder: Path) -> tuple[list[float], str]:
    """What a trial's process, started in ``folder``, makes of the loss, and its fingerprint there."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", TRIAL_PROCESS],
        input=json.dumps(registered_sources(["own"])),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr
    value, fingerprint = json.loads(done.stdout)
    return value, fingerprint


@table(*EDITORS, *MODULES)
def test_spaces(case: Case, tmp_path: Path) -> None:
    def take(file: Path) -> tuple[str, ...]:
        load_space(file)
        fingerprint = logit_loss_fingerprint("own")
        (tmp_path / "elsewhere").mkdir()
        assert computed_there(tmp_path / "elsewhere") == ([8.0, 8.0], fingerprint)
        with code(file) as sent:  # --submit: the launcher there finds the same
            LOGIT_LOSSES.pop("own")
            load_space(sent / "space" / "own.py")
            assert logit_loss_fingerprint("own") == fingerprint
        return ()

    hold(case, tmp_path, take)


def fingerprint_of(file: Path) -> str | None:
    LOGIT_LOSSES.pop("own", None)
    load_space(file)
    return logit_loss_fingerprint("own")


def test_an_edited_module_makes_other_trials_and_an_unused_one_does_not(tmp_path: Path) -> None:
    file = space(IMPORTS, helpers=DISTANCE, unused="x = 1\n")(tmp_path)
    before = fingerprint_of(file)
    (tmp_path / "unused.py").write_text("x = 2\n")
    assert fingerprint_of(file) == before
    (tmp_path / "helpers.py").write_text(DISTANCE.replace("pow", "div"))
    assert fingerprint_of(file) not in (None, before)


def test_spaces_of_two_folders_have_each_their_own_helpers(tmp_path: Path) -> None:
    for name, text in (("one", DISTANCE), ("two", DISTANCE.replace("pow(power)", "mul(0)"))):
        (tmp_path / name).mkdir()
        fingerprint_of(space(IMPORTS, helpers=text)(tmp_path / name))
        assert computed_there(tmp_path)[0] == ([8.0, 8.0] if name == "one" else [0.0, 0.0])


def test_a_pinned_space_is_whole_by_itself(tmp_path: Path) -> None:
    from study.spec.source_code import without_study

    file = space(IMPORTS, helpers=DISTANCE)(tmp_path)
    before = fingerprint_of(file)
    (source,) = registered_sources(["own"])
    (tmp_path / "alone").mkdir()
    pinned = tmp_path / "alone" / "pinned.py"
    pinned.write_text(without_study(source) + STUDY)
    assert fingerprint_of(pinned) == before
    assert registered_sources(["own"])[0].count("provide({") == 1
