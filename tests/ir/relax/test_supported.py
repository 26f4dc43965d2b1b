"""foldproof.ir.relax.supported: the possible cases that TVM 0.27 cannot compile, and that it rejects them itself."""

import pytest

from foldproof import Axis, Case, check
from foldproof.generation.draw import draw, strategy_of
from foldproof.ir.relax.ir import RELAX
from foldproof.ir.relax.targets import compile_functions, parse_target

TRANSPOSED = Case(op="conv1d_transpose", axes=(Axis(size=4, pad=(1, 2), kernel=2),), channels=2)

UNSUPPORTED = [
    ({"data_layout": "NWC"}, "TVM legalizes conv1d_transpose in NCW/IOW only, not in NWC/IOW"),
    ({"kernel_layout": "OIW"}, "TVM legalizes conv1d_transpose in NCW/IOW only, not in NCW/OIW"),
]


def changed(changes):
    return Case(**({name: getattr(TRANSPOSED, name) for name in ("op", "axes", "channels")} | changes))


@pytest.mark.parametrize(("changes", "reason"), UNSUPPORTED)
def test_what_tvm_cannot_build_has_a_reason(changes, reason):
    assert RELAX.supported(TRANSPOSED) == ""
    assert RELAX.supported(changed(changes)) == reason


@pytest.mark.parametrize(("changes", "_reason"), UNSUPPORTED)
def test_tvm_does_refuse_it(changes, _reason):
    """A version of TVM that takes one of these would make its row untrue."""
    with pytest.raises(Exception, match=r"."):
        compile_functions({"unfolded": RELAX.build(changed(changes))}, parse_target("llvm", "default"))


@pytest.mark.parametrize(("changes", "reason"), UNSUPPORTED)
def test_a_case_that_the_ir_cannot_express_is_neither_passed_nor_failed(changes, reason):
    verdict = check(changed(changes))
    assert verdict.unsupported == reason
    assert verdict.in_doubt
    assert not verdict.folded


def test_transposed_convolutions_of_symbolic_lengths_are_supported():
    assert check(changed({"symbolic": ("W",)})).folded


def test_everything_that_the_strategies_draw_is_supported():
    assert not [case for case in draw(strategy_of((), "cases"), 500, seed=4) if RELAX.supported(case)]
