"""foldproof.fold: pads of no width go, whatever they are and whatever reads them."""

# ruff: noqa: RET504, SIM108 - this is TVMScript: a binding is named, and a branch is an `if`.

import math
from dataclasses import replace

import pytest
from tests.support.foldings import assert_folds, fold
from tests.support.sites import AVG1, CONV1, MAX1, TRANSPOSED, decide, pad
from tvm.script import ir as I
from tvm.script import relax as R

from foldproof.fold import Consumer, Folded
from foldproof.fold.facts import Site

NAN = math.nan


ANYTHING = [
    ("constant", pad(0, 0, 0)),
    ("any value", pad(0, 0, 0, value=7.0)),
    ("NaN", pad(0, 0, 0, value=NAN)),
    ("reflect", pad(0, 0, 0, mode="reflect")),
    ("replicate", pad(0, 0, 0, mode="replicate")),
    ("circular", pad(0, 0, 0, mode="circular")),
    ("an unknown mode", pad(0, 0, 0, mode="edge")),
    ("float8", pad(0, 0, 0, dtype="float8_e4m3fn")),
]


@pytest.mark.parametrize("facts", [row[1] for row in ANYTHING], ids=[row[0] for row in ANYTHING])
@pytest.mark.parametrize(
    "consumer",
    [
        CONV1,
        replace(CONV1, operand=1),
        replace(MAX1, ceil_mode=True, sizes=(None,)),
        replace(AVG1, padding=(1, 1)),
        replace(TRANSPOSED, op="conv1d_transpose"),
        Consumer(op="add", family="other"),
        Consumer(op="return", family="other"),
    ],
    ids=lambda consumer: f"{consumer.op}{consumer.operand}",
)
def test_a_pad_of_zero_widths_goes_whatever_it_is_and_whatever_reads_it(facts, consumer):
    assert decide(Site(pad=facts, consumer=consumer, input_visible=False)) == Folded("identity")


def test_a_pad_of_zero_widths_that_is_the_result_of_a_branch_goes():
    @I.ir_module
    class Before:
        @R.function
        def main(c: R.Tensor((), "bool"), x: R.Tensor((3,), "float32")) -> R.Tensor((3,), "float32"):
            if c:
                y = R.nn.pad(x, (0, 0))
            else:
                y = R.nn.relu(x)
            return y

    @I.ir_module
    class Expected:
        @R.function
        def main(c: R.Tensor((), "bool"), x: R.Tensor((3,), "float32")) -> R.Tensor((3,), "float32"):
            if c:
                y = x
            else:
                y = R.nn.relu(x)
            return y

    assert_folds(Before, Expected)


def test_a_pad_of_zero_widths_that_a_dataflow_block_outputs_keeps_the_name_of_the_output():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((3,), "float32")):
            with R.dataflow():
                lv = R.nn.relu(x)
                gv = R.nn.pad(lv, (0, 0))
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((3,), "float32")):
            with R.dataflow():
                lv = R.nn.relu(x)
                gv = lv
                R.output(gv)
            return gv

    assert_folds(Before, Expected)


def test_a_function_that_only_pads_by_nothing_returns_its_parameter():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((3,), "float32")):
            with R.dataflow():
                gv = R.nn.pad(x, (0, 0))
                R.output(gv)
            return gv

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((3,), "float32")):
            return x

    assert_folds(Before, Expected)


def test_a_pad_of_zero_widths_goes_wherever_it_is_read():
    @I.ir_module
    class Before:
        @R.function
        def twice(x: R.Tensor((3,), "float32")):
            gv = R.add(x, x)
            return gv

        @R.function
        def main(c: R.Tensor((), "bool"), x: R.Tensor((3,), "float32")):
            cls = Before
            lv = R.nn.pad(x, (0, 0))
            lv1 = R.match_cast(lv, R.Tensor((3,), "float32"))
            lv2 = (lv, (lv, lv1))
            lv3 = lv2[0]
            lv4 = cls.twice(lv)
            lv5 = R.concat((lv, lv3))

            @R.function
            def inner(y: R.Tensor((3,), "float32")) -> R.Tensor((3,), "float32"):
                lv6 = R.multiply(y, lv)
                return lv6

            if c:
                z = R.add(lv, lv4)
            else:
                z = inner(lv)
            return (lv, lv5, z)

    @I.ir_module
    class Expected:
        @R.function
        def twice(x: R.Tensor((3,), "float32")):
            gv = R.add(x, x)
            return gv

        @R.function
        def main(c: R.Tensor((), "bool"), x: R.Tensor((3,), "float32")):
            cls = Expected
            lv1 = R.match_cast(x, R.Tensor((3,), "float32"))
            lv2 = (x, (x, lv1))
            lv3 = lv2[0]
            lv4 = cls.twice(x)
            lv5 = R.concat((x, lv3))

            @R.function
            def inner(y: R.Tensor((3,), "float32")) -> R.Tensor((3,), "float32"):
                lv6 = R.multiply(y, x)
                return lv6

            if c:
                z = R.add(x, lv4)
            else:
                z = inner(x)
            return (x, lv5, z)

    assert_folds(Before, Expected)


def test_a_pad_of_zero_widths_with_a_weaker_type_leaves_every_reader_bound():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((2, 3), "float32")):
            with R.dataflow():
                lv: R.Tensor("float32", ndim=2) = R.nn.pad(x, (0, 0, 0, 0))
                lv1 = R.nn.relu(lv)
                gv = R.nn.relu(lv1)
                R.output(gv)
            return gv

    out = fold(Before)
    assert [b.value.op.name for b in out["main"].body.blocks[0].bindings] == ["relax.nn.relu", "relax.nn.relu"]


def test_a_pad_of_zero_widths_on_a_virtual_device_leaves_every_reader_bound():
    @I.ir_module
    class Before:
        I.module_global_infos({"vdevice": [I.vdevice("llvm")]})

        @R.function
        def main(x: R.Tensor((2, 3), "float32", "llvm:0")):
            with R.dataflow():
                lv = R.nn.pad(x, (0, 0, 0, 0))
                lv1 = R.nn.relu(lv)
                gv = R.nn.relu(lv1)
                R.output(gv)
            return gv

    out = fold(Before)
    assert [b.value.op.name for b in out["main"].body.blocks[0].bindings] == ["relax.nn.relu", "relax.nn.relu"]
