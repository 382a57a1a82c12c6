"""Every wrong ``Data`` is refused at once, with the field first and the remedy in the message."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainables import data as sets
from trainables.config import Data
from trainables.config.serialization import ConfigError
from trainables.data.registry import options


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "cifar1000"}, "name: unknown data set 'cifar1000'; did you mean 'cifar100'?"),
        ({"name": "cifar100"}, "root: missing; cifar100 needs the folder with cifar-100-python/"),
        ({"name": "imagenet", "root": "nowhere"}, "root: nowhere does not exist; imagenet needs"),
        (
            {"name": "cifar100", "root": "."},
            "root: . holds no cifar-100-python/train; .* options.download=True",
        ),
        ({"name": "packed", "root": "."}, "root: . is a folder; packed needs an .npz file"),
        ({"name": "cluttered_digits", "root": "."}, "root: cluttered_digits is generated; leave it out"),
        ({"options": {"scene": 500}}, "options.scene: unknown option; did you mean 'scenes'?"),
        ({"options": {"scenes": 5}}, "options.scenes: 5 is below 100"),
        ({"options": {"distractors": 50}}, "options.distractors: 50 is above 8"),
        ({"options": {"scenes": 500.0}}, "options.scenes: 500.0 is not a whole number"),
        ({"options": {"scenes": True}}, "options.scenes: True is not a whole number"),
        ({"name": "cub200", "options": {"flip": True}}, "options.flip: unknown option; cub200 has none"),
        ({"classes": 11}, "classes: asks for 11, cluttered_digits has 10"),
        ({"classes": (0, 10)}, "classes: index 10 is outside 0..9"),
        ({"split_seed": -1}, "split_seed: -1 is below 0"),
    ],
)
def test_wrong_data_is_refused_with_field_and_remedy(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(
        sets.DataError, match="^" + message.replace(".", r"\.").replace(r"\.*", ".*").replace("?", r"\?")
    ):
        sets.check(Data(**{"name": "cluttered_digits", **fields}))


def test_a_data_error_is_a_config_error() -> None:
    assert issubclass(sets.DataError, ConfigError)


def test_defaults_are_filled_in() -> None:
    data = Data(name="cluttered_digits", options={"scenes": 300})
    sets.check(data)
    assert options(data) == {"scenes": 300, "test": 1000, "distractors": 3, "seed": 0, "size": 32}


def test_every_data_set_has_a_reader_without_torch() -> None:
    code = (
        "import importlib, sys\n"
        "from trainables import data\n"
        "from trainables.config import Data\n"
        "from trainables.data.registry import LIBRARIES, SOURCES\n"
        "data.check(Data(name='cluttered_digits'))\n"
        "assert not {'torch', 'numpy', 'sklearn', 'ray'} & set(sys.modules), 'check imports too much'\n"
        "for source in (*SOURCES.values(), *LIBRARIES.values()):\n"
        "    reader = importlib.import_module(f'trainables.data.readers.{source.module}')\n"
        "    assert callable(reader.read) and callable(reader.fingerprint)\n"
        "data.fingerprint(Data(name='cluttered_digits'))\n"
        "data.load_raw(Data(name='cluttered_digits', options={'scenes': 100, 'test': 100}))\n"
        "assert not {'torch', 'ray', 'study'} & set(sys.modules), 'reading imports too much'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_content_that_changed_since_the_study_began_is_refused() -> None:
    data = Data(name="cluttered_digits", options={"scenes": 100, "test": 100})
    sets.load_raw(replace(data, fingerprint=sets.fingerprint(data)))
    with pytest.raises(sets.DataError, match=r"^fingerprint: the content of cluttered_digits here differs"):
        sets.load_raw(replace(data, fingerprint="0" * 64))


def test_names_are_sorted_and_unknown_attributes_are_refused() -> None:
    assert list(sets.names()) == sorted(sets.names())
    assert {"cifar100", "cub200", "imagenet", "packed", "cluttered_digits"} <= set(sets.names())
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sets.nothing  # type: ignore[attr-defined]
