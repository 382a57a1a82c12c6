from __future__ import annotations

import dataclasses

import pytest

from trainables.config import ConfigError, Data, FeatureTerm, LogitTerm, Method, Teacher, TrialConfig


def config(term: LogitTerm) -> TrialConfig:
    teacher = Teacher(name="resnet20", weights="0" * 64)
    return TrialConfig(
        data=Data(name="cluttered_digits"), student="resnet8", teacher=teacher, method=Method(logit=term)
    )


def test_standardising_is_part_of_the_key_only_where_it_is_done() -> None:
    plain = config(LogitTerm())
    written = plain.to_dict()
    assert written["method"]["logit"].pop("standardize") == "no"
    assert TrialConfig.from_dict(written).trial_key == plain.trial_key == "7b1418dfdd467bd1"
    others = {how: config(LogitTerm(standardize=how)).trial_key for how in ("region", "whole")}
    assert len({plain.trial_key, *others.values()}) == 3


def test_a_label_says_what_is_done_to_the_logits() -> None:
    decoupled = LogitTerm(base="dkd", scales=(1, 2), complementary_weight=2.0)
    crd = FeatureTerm(name="crd", weight=0.8)
    assert Method(logit=LogitTerm(standardize="region")).label == "KD+LS"
    assert Method(logit=LogitTerm(standardize="whole")).label == "KD+LS"  # the same, with one region
    assert Method(logit=dataclasses.replace(decoupled, standardize="whole")).label == "SD-DKD+LSW"
    assert Method(logit=dataclasses.replace(decoupled, standardize="region")).label == "SD-DKD+LS"
    assert Method(logit=LogitTerm(standardize="region"), features=(crd,)).label == "KD+LS+CRD"


def test_another_way_to_standardise_is_refused() -> None:
    written = config(LogitTerm()).to_dict()
    written["method"]["logit"]["standardize"] = "global"
    with pytest.raises(ConfigError, match=r"method\.logit\.standardize: 'global' is not one of"):
        TrialConfig.from_dict(written)
