"""planted: every planted defect is caught on its case, where the bundled pass is right."""

import inspect

import planted
import pytest

from harness.check import check
from harness.failures import Failure


def test_every_planted_defect_has_a_case():
    factories = [name for name, f in inspect.getmembers(planted, inspect.isfunction) if not name.startswith("_")]
    assert sorted(set(factories) - {"decide", "op_name", "read_pad", "replace"}) == sorted(planted.PLANTED)


@pytest.mark.parametrize("name", planted.PLANTED)
def test_the_defect_is_caught(name):
    with pytest.raises(Failure):
        check(planted.KILLED_BY[name], fold=getattr(planted, name)(), complete=True)


@pytest.mark.parametrize("name", planted.PLANTED)
def test_the_bundled_pass_is_right_there(name):
    check(planted.KILLED_BY[name])
