from __future__ import annotations

import pytest

from trainables.config.scales import check_scales, region_count


def test_scales_keep_their_order() -> None:
    assert check_scales([4, 1, 2]) == (4, 1, 2)
    assert region_count((1, 2, 4)) == 21


@pytest.mark.parametrize("scales", [(), (0,), (-1, 2), (1, 1), (1.0, 2), (True,), "124", 3, None, (1, "2")])
def test_other_sets_are_refused(scales: object) -> None:
    with pytest.raises(ValueError, match="scales must"):
        check_scales(scales)  # type: ignore[arg-type]
