"""A pass of TVM that gives two live tensors the same memory is left out; elsewhere it is kept."""

import numpy as np
import pytest
import tvm
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from foldproof.fold import FoldExplicitPadding
from foldproof.generation.draw import draw, strategy_of
from foldproof.ir.relax.build import build
from foldproof.ir.relax.targets import compile_functions, memory_plan, parse_target

DEFAULT, FAST, NAIVE = (parse_target("llvm", pipeline) for pipeline in ("default", "fast", "naive"))
X = np.array([1, -2, 3, 4], "float32")
YES, NO = np.array(True), np.array(False)


@I.ir_module
class OtherBranch:
    """Both branches have a temporary of 16 bytes."""

    @R.function
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):
        if c:
            a = R.abs(x)
            y = R.add(a, x)
        else:
            b = R.negative(x)
            y = R.multiply(b, x)
        return y


@I.ir_module
class AfterBranch:
    """One branch has a temporary, and one is needed after the branches."""

    @R.function
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):
        if c:
            a = R.abs(x)
            y = R.add(a, x)
        else:
            y = R.negative(x)
        b = R.negative(x)
        return R.multiply(b, y)


@I.ir_module
class Larger:
    """A plan reuses memory of another size too; here the second branch enlarges that of the first."""

    @R.function
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):
        if c:
            a = R.abs(x)
            y = R.add(a, x)
        else:
            b = R.concat((x, x), axis=0)
            y = R.sum(R.reshape(b, (2, 4)), axis=[0])
        return y


@I.ir_module
class Returned:
    """A packed function that returns its argument: ``d`` gets the memory of ``a``, which is read as ``b``."""

    @R.function(pure=False)
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):
        a = R.abs(x)
        b = R.call_packed("vm.builtin.copy", a, ty_args=R.Tensor((4,), "float32"))
        d = R.negative(x)
        return R.add(b, d)


@I.ir_module
class Callee:
    """The branches are in a function that main calls."""

    @R.function(private=True)
    def callee(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")) -> R.Tensor((4,), "float32"):
        if c:
            a = R.abs(x)
            y = R.add(a, x)
        else:
            b = R.negative(x)
            y = R.multiply(b, x)
        return y

    @R.function
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):
        cls = Callee
        return cls.callee(x, c)


@I.ir_module
class BeforeBranch:
    """Memory that exists before the branches is reused in both: a sound plan."""

    @R.function
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):
        a = R.abs(x)
        s = R.sum(a, axis=[0], keepdims=True)
        if c:
            p = R.abs(x)
            y = R.add(p, s)
        else:
            q = R.negative(x)
            y = R.multiply(q, s)
        return y


@I.ir_module
class OneBranch:
    """Only one branch has temporaries: a sound plan."""

    @R.function
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):
        if c:
            a = R.abs(x)
            b = R.add(a, x)
            d = R.abs(b)
            y = R.add(d, x)
        else:
            y = x
        return y


@I.ir_module
class Casts:
    """The result of a match_cast is the tensor itself, and a packed function copies: a sound plan."""

    @R.function
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):
        a = R.abs(x)
        b = R.match_cast(a, R.Tensor((4,), "float32"))
        d = R.call_dps_packed("runtime.TVMTensorCopyFromTo", (b,), out_ty=R.Tensor((4,), "float32"))
        e = R.negative(x)
        return R.add(d, e)


@I.ir_module
class View:
    """A reshape of a tensor that is overwritten afterwards."""

    @T.prim_func(private=True, s_tir=True)
    def negate(a: T.Buffer((T.int64(4),), "float32")):
        for i in range(T.int64(4)):
            with T.sblock("negate"):
                v = T.axis.spatial(T.int64(4), i)
                a[v] = a[v] * T.float32(-1)

    @R.function
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):
        cls = View
        with R.dataflow():
            a = R.add(x, x)
            b = R.reshape(a, (2, 2))
            d = R.call_tir_inplace(cls.negate, (a,), inplace_indices=[0], out_ty=R.Tensor((4,), "float32"))
            e = R.reshape(b, (4,))
            y = R.add(e, d)
            R.output(y)
        return y


@I.ir_module
class NoView:
    """A write in place, and no reshape: nothing is left out."""

    @T.prim_func(private=True, s_tir=True)
    def negate(a: T.Buffer((T.int64(4),), "float32")):
        for i in range(T.int64(4)):
            with T.sblock("negate"):
                v = T.axis.spatial(T.int64(4), i)
                a[v] = a[v] * T.float32(-1)

    @R.function
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):
        cls = NoView
        with R.dataflow():
            a = R.add(x, x)
            d = R.call_tir_inplace(cls.negate, (a,), inplace_indices=[0], out_ty=R.Tensor((4,), "float32"))
            y = R.add(x, d)
            R.output(y)
        return y


@I.ir_module
class Parts:
    """The memory of one part of a tuple is given away before another part is read: a sound plan."""

    @R.function
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):
        a = R.abs(x)
        b = R.negative(x)
        t = (a, (b,))
        p = t[0]
        d = R.add(p, p)
        e = R.abs(d)
        f = R.negative(e)
        u = t[1]
        q = u[0]
        return R.add(f, q)


def run_other(x, c):
    return abs(x) + x if c else -x * x


UNSOUND = [
    (OtherBranch, memory_plan.OTHER_BRANCH, run_other),
    (AfterBranch, memory_plan.OTHER_BRANCH, lambda x, c: -x * (abs(x) + x if c else -x)),
    (Larger, memory_plan.OTHER_BRANCH, lambda x, c: abs(x) + x if c else x + x),
    (Returned, memory_plan.STILL_READ, lambda x, c: abs(x) - x),
    (Callee, memory_plan.OTHER_BRANCH, run_other),
    (View, memory_plan.OVERWRITTEN, lambda x, c: x - x),
]
SOUND = [
    (BeforeBranch, lambda x, c: abs(x) + abs(x).sum() if c else -x * abs(x).sum()),
    (OneBranch, lambda x, c: abs(abs(x) + x) + x if c else x),
    (Casts, lambda x, c: abs(x) - x),
    (NoView, lambda x, c: x - (x + x)),
    (Parts, lambda x, c: -2 * abs(x) - x),
]
name_of = {"ids": lambda value: getattr(value, "__name__", "")}


@pytest.mark.parametrize(("module", "problem", "reference"), UNSOUND, **name_of)
@pytest.mark.parametrize("target", [DEFAULT, NAIVE], ids=["default", "naive"])
def test_an_unsound_pass_is_left_out_with_a_reason(module, problem, reference, target):
    program = compile_functions({"unfolded": module}, target)
    left_out = "RewriteDataflowReshape" if problem == memory_plan.OVERWRITTEN else "StaticPlanBlockMemory"
    assert program.fallback == f"compiled without {left_out}, which {problem}"
    for c in (YES, NO):
        [y] = program.run("unfolded", {"x": X, "c": c})
        assert (y == reference(X, c)).all()


@pytest.mark.parametrize(("module", "reference"), SOUND, **name_of)
def test_a_sound_pass_is_kept(module, reference):
    program = compile_functions({"unfolded": module}, DEFAULT)
    assert program.fallback == ""
    for c in (YES, NO):
        [y] = program.run("unfolded", {"x": X, "c": c})
        assert (y == reference(X, c)).all()


def test_the_reason_of_the_fast_pipeline_is_kept():
    @I.ir_module
    class Sorted:
        @R.function
        def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):
            if c:
                a = R.abs(x)
                y = R.sort(a)
            else:
                b = R.negative(x)
                y = R.sort(b)
            return y

    program = compile_functions({"unfolded": Sorted}, FAST)
    first, second = program.fallback.split("; ")
    assert first == "a call of relax.sort"
    assert second == f"compiled without StaticPlanBlockMemory, which {memory_plan.OTHER_BRANCH}"
    for c, want in ((YES, [1, 2, 3, 4]), (NO, [-4, -3, -1, 2])):
        assert program.run("unfolded", {"x": X, "c": c})[0].tolist() == want


def test_the_plan_of_every_drawn_case_is_sound():
    cases = draw(strategy_of((), "cases"), 60, seed=11)
    assert [plan_problem(module) for case in cases for module in modules_of(case)] == [""] * 120


def modules_of(case):
    unfolded = build(case)
    return unfolded, FoldExplicitPadding()(unfolded)


def plan_problem(module):
    lowering = (
        relax.transform.LegalizeOps(),
        relax.transform.ToNonDataflow(),
        relax.transform.RemovePurityChecking(),
        relax.transform.CallTIRRewrite(),
        relax.transform.StaticPlanBlockMemory(),
    )
    with DEFAULT.tvm_target:
        return memory_plan.find_unsound_plan(tvm.transform.Sequential(lowering)(module))


def test_a_recursive_main_keeps_its_meaning():
    @I.ir_module
    class Recursive:
        @R.function
        def main(x: R.Tensor((4,), "float32")) -> R.Tensor((4,), "float32"):
            cls = Recursive
            m = R.max(x)
            c = R.greater(m, R.const(100, "float32"))
            if c:
                y = x
            else:
                z = R.add(x, x)
                y = cls.main(z)
            return y

    for target in (DEFAULT, FAST):
        program = compile_functions({"unfolded": Recursive, "folded": OneBranch}, target)
        [y] = program.run("unfolded", {"x": X})
        assert (y == X * 32).all()
