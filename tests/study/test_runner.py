"""What the runner refuses."""

from __future__ import annotations

import pytest

from study.errors import ClusterError
from study.runner import check_answers


def test_an_address_where_nothing_listens_is_refused() -> None:
    with pytest.raises(ClusterError, match=r"cannot reach Ray at 127\.0\.0\.1:9"):
        check_answers("127.0.0.1:9")
    check_answers("auto")
