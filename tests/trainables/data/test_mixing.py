from __future__ import annotations

import numpy as np
import pytest
import torch

from trainables.config import Training
from trainables.data.mixing import MixedLabels, Mixture, drawn_mixture, drawn_partners, mixed
from trainables.data.split import Batch

SEEDS = {"seed": 3, "epoch": 2, "step": 5}


def numbered(size: int = 8) -> Batch:
    """Images that are all of one number, which is their label and their position."""
    number = torch.arange(size)
    return Batch(number.float()[:, None, None, None].expand(size, 3, 16, 16), number, number, number)


def mixed_by(mixture: Mixture, rank: int = 0) -> tuple[Batch, MixedLabels]:
    """Those images, mixed."""
    batch = numbered()
    partners = torch.from_numpy(drawn_partners(len(batch.target), **SEEDS, rank=rank))
    return mixed(batch, partners, torch.from_numpy(mixture.numbers((16, 16))))


def test_without_a_strength_nothing_is_mixed() -> None:
    assert drawn_mixture(Training(), 0, 1, 0) is None


def test_what_is_drawn_depends_on_seed_epoch_and_step_alone() -> None:
    training = Training(mixup=0.8, cutmix=1.0)
    first = drawn_mixture(training, 0, 1, 2)
    assert first == drawn_mixture(training, 0, 1, 2)
    others = [drawn_mixture(training, *seeds) for seeds in ((1, 1, 2), (0, 2, 2), (0, 1, 3))]
    assert first not in others


def test_shares_are_beta_and_boxes_have_their_area() -> None:
    blended = [drawn_mixture(Training(mixup=0.4), 0, 1, step) for step in range(2000)]
    kept = np.array([each.kept for each in blended if each is not None])
    assert kept.mean() == pytest.approx(0.5, abs=0.03)
    assert kept.var() == pytest.approx(0.25 / (2 * 0.4 + 1), rel=0.1)
    for step in range(50):
        cut = drawn_mixture(Training(cutmix=1.0), 0, 1, step)
        assert cut is not None
        assert cut.box is not None
        top, bottom, left, right = cut.box
        inside = top > 0 and bottom < 1 and left > 0 and right < 1
        area = (bottom - top) * (right - left)
        assert area == pytest.approx(1 - cut.kept) if inside else area <= 1 - cut.kept + 1e-9


def test_both_have_half_of_the_steps() -> None:
    drawn = [drawn_mixture(Training(mixup=0.8, cutmix=1.0), 0, 1, step) for step in range(400)]
    assert 150 < sum(each is not None and each.box is not None for each in drawn) < 250


@pytest.mark.parametrize("kept", [0.7, 0.2])
def test_a_blend_has_both_labels_by_their_share(kept: float) -> None:
    batch, labels = mixed_by(Mixture(kept))
    assert labels.share.item() == pytest.approx(max(kept, 1 - kept))
    expected = labels.share * batch.target + (1 - labels.share) * labels.target
    torch.testing.assert_close(batch.images[:, 0, 0, 0], expected)
    assert torch.equal(batch.index, batch.target)
    assert (batch.view == -1).all()


@pytest.mark.parametrize("box", [(0.25, 0.5, 0.0, 0.5), (0.0, 1.0, 0.25, 1.0)])
def test_a_box_comes_from_the_partner_and_labels_count_pixels(box: tuple[float, float, float, float]) -> None:
    batch, labels = mixed_by(Mixture(0.5, box))
    more = batch.images == batch.target[:, None, None, None]
    less = batch.images == labels.target[:, None, None, None]
    assert bool((more | less).all())
    apart = batch.target != labels.target
    shares = more[apart].float().mean((1, 2, 3))
    torch.testing.assert_close(shares, labels.share.expand_as(shares))
    assert labels.share >= 0.5


def test_processes_mix_alike_among_their_own_images() -> None:
    first, second = (mixed_by(Mixture(0.7), rank) for rank in (0, 1))
    assert torch.equal(first[1].share, second[1].share)
    assert not torch.equal(first[1].target, second[1].target)
