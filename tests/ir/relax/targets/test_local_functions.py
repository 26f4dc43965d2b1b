"""Local functions run in both pipelines: by the executor as they are, by TVM as private functions."""

import numpy as np
import pytest
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from foldproof.ir.relax.module import bindings
from foldproof.ir.relax.targets import compile_functions, parse_target
from foldproof.ir.relax.targets.local_functions import lift_local_functions

FAST, DEFAULT = parse_target("llvm", "fast"), parse_target("llvm", "default")
X, W = np.array([1, -2, 3, 5], "float32"), np.array([4, 1, -1, 2], "float32")
YES, NO = np.array(True), np.array(False)


@I.ir_module
class Alone:
    """It captures nothing, and is called twice."""

    @R.function
    def main(x: R.Tensor((4,), "float32")):
        @R.function
        def local(p: R.Tensor((4,), "float32")) -> R.Tensor((4,), "float32"):
            q = R.abs(p)
            return R.add(q, p)

        a = local(x)
        b = local(a)
        return R.subtract(a, b)


@I.ir_module
class Capturing:
    """They capture a variable of a dataflow block, lengths, and each other; one is local to a branch."""

    @R.function
    def main(x: R.Tensor(("n",), "float32"), w: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):
        n = T.int64()
        with R.dataflow():
            y = R.negative(x)

            @R.function
            def inner(p: R.Tensor((4,), "float32")) -> R.Tensor((4,), "float32"):
                with R.dataflow():
                    s = R.sum(y, keepdims=True)
                    q = R.add(p, s)
                    R.output(q)
                return q

            @R.function
            def filled(p: R.Tensor((4,), "float32")) -> R.Tensor((4,), "float32"):
                with R.dataflow():
                    r = R.full(R.shape([n, 4]), R.const(2, "float32"), "float32")
                    t = R.sum(r, axis=[0])
                    u = inner(t)
                    v = R.add(u, p)
                    R.output(v)
                return v

            a = inner(w)
            b = filled(a)
            R.output(b)
        if c:

            @R.function
            def doubled(p: R.Tensor((4,), "float32")) -> R.Tensor((4,), "float32"):
                return R.add(p, b)

            e = doubled(b)
        else:
            e = b
        return (e, b)


def capturing(x, w, c):
    b = (2 * len(x) - x.sum()) + (w - x.sum())
    return [2 * b if c else b, b]


@I.ir_module
class Writing:
    """It writes into what it captures."""

    @T.prim_func(private=True, s_tir=True)
    def negate(a: T.Buffer((T.int64(4),), "float32")):
        for i in range(T.int64(4)):
            with T.sblock("negate"):
                v = T.axis.spatial(T.int64(4), i)
                a[v] = a[v] * T.float32(-1)

    @R.function
    def main(x: R.Tensor((4,), "float32")):
        cls = Writing
        a = R.add(x, x)

        @R.function
        def local(p: R.Tensor((4,), "float32")) -> R.Tensor((4,), "float32"):
            q = R.call_tir_inplace(cls.negate, (a,), inplace_indices=[0], out_ty=R.Tensor((4,), "float32"))
            return R.add(q, p)

        b = local(x)
        return (a, b)


@I.ir_module
class Numbers:
    """A number is a parameter of a private function."""

    @R.function(private=True)
    def filled(k: T.int64) -> R.Tensor(ndim=2, dtype="float32"):
        return R.full(R.shape([k, 2]), R.const(3, "float32"), "float32")

    @R.function
    def main(x: R.Tensor(("n",), "float32")):
        n = T.int64()
        cls = Numbers
        return cls.filled(n + 1)


CASES = [
    (Alone, lambda x: [abs(x) + x - (abs(abs(x) + x) + (abs(x) + x))], {"x": X}),
    (Capturing, capturing, {"x": X[:3].copy(), "w": W, "c": YES}),
    (Capturing, capturing, {"x": X, "w": W, "c": NO}),
    (Writing, lambda x: [-2 * x, -x], {"x": X}),
    (Numbers, lambda x: [np.full((len(x) + 1, 2), 3, "float32")], {"x": X}),
]


@pytest.mark.parametrize(("module", "reference", "arrays"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_both_pipelines_and_numpy_agree(module, reference, arrays):
    want = reference(*arrays.values())
    for target in (FAST, DEFAULT):
        program = compile_functions({"main": module}, target)
        assert target is DEFAULT or program.fallback == ""
        for got, expected in zip(program.run("main", arrays), want, strict=True):
            assert np.array_equal(got, expected), (target.pipeline, got, expected)


def test_what_is_lifted_is_well_formed_and_has_no_local_function():
    for module, count in ((Alone, 2), (Capturing, 4), (Writing, 2)):
        lifted = lift_local_functions(module)
        relax.analysis.well_formed(lifted)
        functions = [each for each in lifted.functions.values() if isinstance(each, relax.Function)]
        assert len(functions) == count
        assert not any(isinstance(b.value, relax.Function) for each in functions for b in bindings(each.body))
    assert lift_local_functions(Numbers) is Numbers
