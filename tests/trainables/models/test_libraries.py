from __future__ import annotations

import sys

import pytest

from trainables.models.libraries import library_names, matching
from trainables.models.names import ModelError, names


def test_a_pattern_is_a_whole_name_or_any_part_of_one() -> None:
    assert matching() == list(names())
    assert matching("RESNET8*") == ["resnet8", "resnet8x4"]
    assert matching("wrn_16") == ["wrn_16_1", "wrn_16_2"]
    assert matching("resnet8") == ["resnet8"]
    assert matching("nothing") == []


def test_names_that_no_list_has_give_themselves() -> None:
    assert matching("wrn_22_3") == ["wrn_22_3"]
    name = "torchvision:vit_b_16(dropout=0.1)"
    assert matching(name) == [name]


def test_the_libraries_are_looked_through_by_their_prefix() -> None:
    assert "torchvision:resnet18" in matching("torchvision:resnet")
    assert matching("torchvision:vit_b_*") == ["torchvision:vit_b_16", "torchvision:vit_b_32"]
    pytest.importorskip("timm")
    assert "timm:deit_tiny_patch16_224" in matching("timm:deit*")


def test_timm_is_asked_for_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    library_names.cache_clear()
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ModelError, match=r"pip install 'sdd-study\[timm\]'"):
        matching("timm:*")
