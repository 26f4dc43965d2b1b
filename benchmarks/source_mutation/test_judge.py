"""What mutmut runs for every change that it makes to ``harness/fold``: fails if the harness notices it."""

import pytest
from judge import PARTS, differing, noticed


@pytest.mark.parametrize("part", range(PARTS))
def test_no_case_fails(part: int) -> None:
    """Of a part of the cases."""
    for known, name in differing(part):
        found = noticed(known.case, name)
        assert found is None, f"{found.fingerprint}: {found}"
