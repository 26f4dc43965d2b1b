"""planted: every planted defect is caught on its case, where the bundled pass is right."""

import inspect

import planted
import pytest

from harness.check import check
from harness.failures import Failure


def test_every_planted_defect_has_a_case():
    functions = inspect.getmembers(planted, inspect.isfunction)
    factories = [name for name, f in functions if f.__module__ == "planted" and not name.startswith("_")]
    assert sorted(factories) == sorted(planted.PLANTED)


RAISING = {
    "wide_pad_asserted",
    "groups_lost",
    "raises_on_groups",
    "nonconstant_dereferenced",
    "varying_parameters_moved",
}


@pytest.mark.parametrize("name", planted.PLANTED)
def test_the_defect_is_caught(name):
    with pytest.raises(Failure) as caught:
        check(planted.KILLED_BY[name], fold=getattr(planted, name)(), complete=True)
    # A planted pass that breaks for another reason than its defect would raise, too.
    assert (caught.value.kind == "CompileError") == (name in RAISING), caught.value


@pytest.mark.parametrize("name", planted.PLANTED)
def test_the_bundled_pass_is_right_there(name):
    check(planted.KILLED_BY[name])
