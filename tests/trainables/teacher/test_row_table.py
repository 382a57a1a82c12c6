from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainables.teacher.row_table import RowTable


def numbers(*slots: int) -> NDArray[np.int64]:
    return np.array(slots, dtype=np.int64)


def test_rows_are_given_in_the_order_of_use_and_kept() -> None:
    table = RowTable(np.zeros(101, np.int32), 10)
    assert table.give(numbers(70, 5, 70, 9)).tolist() == [0, 1, 0, 2]
    assert table.give(numbers(9, 8, 5)).tolist() == [2, 3, 1]
    assert table.rows(numbers(8, 0, 70)).tolist() == [3, -1, 0]
    assert table.slots().tolist() == [5, 8, 9, 70]
    assert table.room == 6


def test_beyond_the_capacity_nothing_is_given() -> None:
    table = RowTable(np.zeros(101, np.int32), 2)
    assert table.give(numbers(70, 5, 9)).tolist() == [0, 1, -1]
    assert table.room == 0
    assert table.give(numbers(1, 5)).tolist() == [-1, 1]


def test_a_crash_that_lost_the_number_of_rows_gives_no_row_twice() -> None:
    left = np.zeros(101, np.int32)
    RowTable(left, 10).give(numbers(70, 5))
    left[0] = 0
    table = RowTable(left, 10)
    table.mend()
    assert table.give(numbers(6, 5)).tolist() == [2, 1]


def test_a_kill_between_the_count_and_the_rows_leaves_rows_to_nobody() -> None:
    left = np.zeros(101, np.int32)
    RowTable(left, 10).give(numbers(70, 5))
    left[6] = 0
    table = RowTable(left, 10)
    table.mend()
    assert table.give(numbers(5, 70)).tolist() == [2, 0]
