from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.trainables.stepping import needs_compiler
from trainables.engine.compile_artifacts import artifact_key, kept_artifacts
from trainables.engine.runtime import Runtime
from trainables.storage.run_store import RunStore

CPU = torch.device("cpu")

COMPILE = """
import sys, torch
from torch._dynamo.utils import counters
from trainables.engine.compilation import compile_static
from trainables.engine.compile_artifacts import kept_artifacts
from trainables.engine.runtime import Runtime
from trainables.storage.run_store import RunStore

runtime = Runtime(torch.device("cpu"))
with kept_artifacts("a sum", RunStore(sys.argv[1]), runtime):
    assert compile_static(lambda x: (x * 2).sin().sum())(torch.ones(8, requires_grad=True)).item() > 0
print(counters["inductor"]["fxgraph_cache_hit"], counters["aot_autograd"]["autograd_cache_hit"])
"""


@needs_compiler
@pytest.mark.slow
def test_a_new_node_finds_what_another_compiled(tmp_path: Path) -> None:
    found = []
    for node in ("one", "two"):
        run = subprocess.run(
            [sys.executable, "-c", COMPILE, str(tmp_path / "store")],
            env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / node)},
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(sum(map(int, run.stdout.split())))
    assert found[0] == 0
    assert found[1] > 0
    assert len(list((tmp_path / "store" / "compiled").iterdir())) == 1


def test_code_is_kept_by_what_it_is_of() -> None:
    assert artifact_key("network a", CPU) != artifact_key("network b", CPU)
    assert artifact_key("network a", CPU) == artifact_key("network a", CPU)


def test_a_store_that_fails_costs_a_line_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    said: list[str] = []
    with kept_artifacts("a sum", RunStore(tmp_path / "store"), Runtime(CPU, log=said.append)):
        pass
    assert [line.split(":")[0] for line in said] == ["compiled code in the store cannot be read"]
