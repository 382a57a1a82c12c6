from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.trainables.losses.pairs import STUDENT, TEACHER, batch, make_loss
from trainables.losses import Features, FeatureShapes, feature_loss
from trainables.losses.reviewkd import AttentionFusion, KnowledgeReview, hierarchical_context


@pytest.mark.parametrize(("size", "grids"), [(8, (4, 2, 1)), (4, (2, 1)), (2, (1,)), (1, ())])
def test_coarser_grids_weigh_half_as_much_each(size: int, grids: tuple[int, ...]) -> None:
    student, teacher = torch.rand(2, 3, 5, size, size, dtype=torch.float64)
    expected, total, weight = F.mse_loss(student, teacher), 1.0, 1.0
    for grid in grids:
        weight, cell = weight / 2, size // grid
        gap = (student - teacher).unfold(2, cell, cell).unfold(3, cell, cell).mean((4, 5))
        expected, total = expected + weight * gap.square().mean(), total + weight
    torch.testing.assert_close(hierarchical_context(student, teacher), expected / total)


def test_fusion_mixes_two_maps_by_their_attention() -> None:
    fusion = AttentionFusion(4, 3, 5, (8, 8), deepest=False).double().eval()
    x, deeper = torch.rand(2, 4, 4, 4).double(), torch.rand(2, 3, 2, 2).double()
    assert fusion.attention is not None
    bias = fusion.attention.bias
    assert bias is not None
    torch.nn.init.zeros_(fusion.attention.weight)
    with torch.no_grad():
        bias.copy_(torch.tensor([30.0, -30.0]))  # all for the map itself
        _, alone = fusion(x, deeper)
        bias.copy_(torch.tensor([-30.0, 30.0]))  # all for the deeper one
        out, other = fusion(x, deeper)
        own = fusion.reduce(x)
    torch.testing.assert_close(alone, own.repeat_interleave(2, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(other, deeper.repeat_interleave(4, 2).repeat_interleave(4, 3))
    assert out.shape == (2, 5, 8, 8)


def test_each_level_meets_the_teachers_map_before_its_relu() -> None:
    loss = make_loss("reviewkd")
    assert isinstance(loss, KnowledgeReview)
    assert len(loss.fusions) == 4  # pooled and three stages; not the stem
    student, teacher, target, index = batch()

    def value(changed: Features) -> float:
        return float(loss(student, changed, target, index).detach())

    before = value(teacher)
    for level in range(4):
        maps = list(teacher.preactivations)
        maps[level] = maps[level] + 1
        after = value(teacher._replace(preactivations=tuple(maps)))
        assert (after == before) == (level == 0)
    assert value(teacher._replace(maps=tuple(torch.zeros_like(x) for x in teacher.maps))) == before
    assert value(teacher._replace(pooled=teacher.pooled + 1)) != before


def test_deep_stages_reach_the_shallow_comparison_and_not_the_other_way() -> None:
    loss = make_loss("reviewkd")
    assert isinstance(loss, KnowledgeReview)
    seen: list[torch.Tensor] = []
    for fusion in loss.fusions:
        fusion.register_forward_hook(lambda module, args, out: seen.append(out[0].detach()))

    def compared(flipped: int | None) -> list[torch.Tensor]:
        """What meets the teacher (pooled, stage 3, 2, 1) when one stage's images are out of order."""
        seen.clear()
        student, teacher, target, index = batch()
        maps = [x.flip(0) if level == flipped else x for level, x in enumerate(student.maps)]
        loss(student._replace(maps=tuple(maps)), teacher, target, index)
        return list(seen)

    for level, expected in ((1, [False, False, False, True]), (3, [False, True, True, True])):
        pairs = zip(compared(None), compared(level), strict=True)
        assert [not torch.equal(a, b) for a, b in pairs] == expected


def test_networks_with_different_numbers_of_stages_are_paired_from_the_last() -> None:
    longer = FeatureShapes(((2, 16, 16), *STUDENT.maps))
    torch.manual_seed(11)
    loss = feature_loss("reviewkd", longer, TEACHER, 10).double()
    student, teacher, target, index = batch()
    extra = torch.rand(len(target), 2, 16, 16).double()
    value = loss(student._replace(maps=(extra, *student.maps)), teacher, target, index)
    torch.testing.assert_close(value, make_loss("reviewkd")(student, teacher, target, index))
