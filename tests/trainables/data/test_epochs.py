"""The plan of a pass: order, views, batches, shares of workers."""

from __future__ import annotations

import numpy as np
import pytest

from trainables.data.epoch_plan import evaluation, trained, training
from trainables.data.raw import CropFlipViews


def test_evaluation_is_in_order_and_whole() -> None:
    plan = evaluation(10, 4, view=3)
    assert plan.rows.tolist() == list(range(10))
    assert plan.sizes == [4, 4, 2]
    assert set(plan.views) == {3}


def test_an_epoch_depends_on_seed_and_epoch_alone() -> None:
    plan = training(50, 8, epoch=3, seed=7, views=162)
    again = training(50, 8, epoch=3, seed=7, views=162)
    assert np.array_equal(plan.rows, again.rows)
    assert np.array_equal(plan.views, again.views)
    for other in (training(50, 8, epoch=4, seed=7, views=162), training(50, 8, epoch=3, seed=8, views=162)):
        assert not np.array_equal(plan.rows, other.rows)
        assert not np.array_equal(plan.views, other.views)


def test_the_order_does_not_hang_on_the_batch_size() -> None:
    assert np.array_equal(
        training(48, 8, epoch=0, seed=0, views=9).rows, training(48, 16, epoch=0, seed=0, views=9).rows
    )


@pytest.mark.parametrize(("size", "sizes"), [(16, [8, 8]), (17, [8, 8]), (18, [8, 8, 2]), (1, []), (2, [2])])
def test_a_last_batch_of_one_image_is_dropped(size: int, sizes: list[int]) -> None:
    plan = training(size, 8, epoch=0, seed=0, views=None)
    assert plan.sizes == sizes
    assert len(set(plan.rows)) == sum(sizes) == trained(size, 8)
    assert (plan.views == 0).all()  # the epoch


def test_workers_share_the_batches_that_one_has() -> None:
    shares = [training(23, 8, epoch=1, seed=0, views=9, worker=(rank, 2)) for rank in range(2)]
    whole = training(23, 8, epoch=1, seed=0, views=9)
    assert [share.sizes for share in shares] == [[4, 4, 4], [4, 4, 3]]
    for name in ("rows", "views"):
        first, second, alone = (getattr(plan, name) for plan in (*shares, whole))
        assert np.array_equal(
            first, alone[::2]
        )  # batches of 8, so that the shares of all begin at even places
        assert np.array_equal(second, alone[1::2])


def test_parts_of_a_batch_are_equal() -> None:
    whole = training(23, 8, epoch=1, seed=0, views=9, parts=2)
    assert whole.sizes == [8, 8, 6]
    assert trained(19, 8, 2) == 16
    assert trained(20, 8, 2) == 20
    with pytest.raises(ValueError, match="a batch of 8 cannot be cut into 3 equal parts"):
        training(23, 8, epoch=1, seed=0, views=9, parts=3)


def test_workers_evaluate_every_image_once() -> None:
    shares = [evaluation(9, 4, 0, worker=(rank, 2)) for rank in range(2)]
    assert sorted(np.concatenate([share.rows for share in shares])) == list(range(9))
    assert [share.sizes for share in shares] == [[2, 2, 1], [2, 2]]


def test_all_views_come_up_about_equally() -> None:
    counts = np.bincount(training(20_000, 64, epoch=0, seed=0, views=10).views, minlength=10)
    assert counts.min() > 1800
    assert counts.max() < 2200


@pytest.mark.parametrize(("size", "sizes"), [(16, [8, 8]), (23, [8, 8]), (7, [7])])
def test_a_smaller_last_batch_is_left_out_where_asked(size: int, sizes: list[int]) -> None:
    plan = training(size, 8, epoch=0, seed=0, views=None, drop_last=True)
    assert plan.sizes == sizes
    assert trained(size, 8, drop_last=True) == sum(sizes)


def moves(strength: float) -> tuple[np.ndarray, np.ndarray]:
    """How far crops moved, [2, n] pixels, and which images were mirrored."""
    views = CropFlipViews(padding=4, flip=True).at_strength(strength)
    drawn = training(20_000, 100, epoch=1, seed=0, views=views).views
    assert drawn.min() >= 0
    assert drawn.max() < views.count
    offset, side = drawn // 2, 2 * views.padding + 1
    return np.stack((offset // side, offset % side)) - views.padding, drawn % 2 == 1


def test_the_usual_strength_draws_the_usual_views() -> None:
    views = CropFlipViews(padding=4, flip=True)
    usual = training(50, 8, epoch=3, seed=7, views=162).views
    assert np.array_equal(training(50, 8, epoch=3, seed=7, views=views.at_strength(1.0)).views, usual)
    assert not np.array_equal(training(50, 8, epoch=3, seed=7, views=views.at_strength(0.9)).views, usual)


@pytest.mark.parametrize(("strength", "most", "mirrored"), [(0.5, 2, 0.25), (0.9, 4, 0.45), (2.0, 9, 0.5)])
def test_strength_is_how_far_crops_move_and_how_often_images_are_mirrored(
    strength: float, most: int, mirrored: float
) -> None:
    moved, flips = moves(strength)
    uniform = np.arange(-4, 5)
    assert np.abs(moved).max() == most
    for way in moved:
        assert way.std() == pytest.approx(strength * uniform.std(), rel=0.05)
        assert way.mean() == pytest.approx(0.0, abs=0.1)
    assert flips.mean() == pytest.approx(mirrored, abs=0.015)


def test_crops_of_larger_images_move_around_their_centre() -> None:
    whole = CropFlipViews(padding=0, flip=False, cut=32)
    for strength, most in ((0.5, 8), (1.0, 16), (1.5, 25)):
        views = whole.at_strength(strength)
        drawn = training(20_000, 100, epoch=1, seed=0, views=views).views
        moved = np.stack((drawn // views.side, drawn % views.side)) - views.side // 2
        assert np.abs(moved).max() == most
        assert views.shown_size(256, 256) == (224, 224)


def test_no_strength_shows_the_image_itself() -> None:
    moved, flips = moves(0.0)
    assert not moved.any()
    assert not flips.any()
