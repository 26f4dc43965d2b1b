"""Modules with branches, several functions, packed functions and writes in place: both pipelines give the same bits.

NumPy gives a third opinion on each.
"""

import numpy as np
import pytest
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from foldproof.ir.relax.targets import compile_functions, parse_target
from foldproof.ir.relax.targets.fast.executor import Executor
from foldproof.ir.relax.targets.target import Unsupported

FAST, DEFAULT = parse_target("llvm", "fast"), parse_target("llvm", "default")

X = np.array([[-1.5, 2.5, 0.0], [3.0, -4.0, 0.25]], "float32")
W = np.array([[2, -1, 4], [0.5, 8, -2]], "float32")
YES, NO = np.array(True), np.array(False)


def bits(outputs):
    return [(output.shape, str(output.dtype), output.tobytes()) for output in outputs]


@I.ir_module
class Branches:
    """Dataflow blocks in nested branches, and a block after them."""

    @R.function
    def main(x: R.Tensor((2, 3), "float32"), c: R.Tensor((), "bool"), d: R.Tensor((), "bool")):
        if c:
            with R.dataflow():
                p = R.negative(x)
                q = R.add(p, x)
                a1 = R.multiply(q, p)
                R.output(a1)
            a = R.add(a1, a1)
        else:
            if d:
                with R.dataflow():
                    r = R.abs(x)
                    b1 = R.add(r, x)
                    R.output(b1)
                b = R.multiply(b1, b1)
            else:
                b = x
            a = R.add(b, x)
        e = R.negative(a)
        return R.multiply(e, a)


def branches(x, c, d):
    a = (x - x) * -x * 2 if c else (((abs(x) + x) ** 2 if d else x) + x)
    return [-a * a]


@I.ir_module
class Composites:
    """Private and public functions that call each other; a composite one; equal names of variables."""

    @R.function(private=True)
    def composite(x: R.Tensor((2, 3), "float32")) -> R.Tensor((2, 3), "float32"):
        R.func_attr({"Composite": "library.twice", "Primitive": 1})
        with R.dataflow():
            y = R.add(x, x)
            R.output(y)
        return y

    @R.function
    def public(x: R.Tensor((2, 3), "float32"), y: R.Tensor((2, 3), "float32")):
        cls = Composites
        z = cls.composite(y)
        a = R.subtract(x, z)
        return (a, z)

    @R.function
    def main(x: R.Tensor((2, 3), "float32"), w: R.Tensor((2, 3), "float32")):
        cls = Composites
        with R.dataflow():
            y = cls.composite(x)
            R.output(y)
        z = cls.public(y, w)
        a = z[0]
        b = cls.composite(a)
        return (b, z)


def composites(x, w):
    a = 2 * x - 2 * w
    return [2 * a, a, 2 * w]


@I.ir_module
class Packed:
    """Packed functions between dataflow blocks. ``vm.builtin.copy`` returns its argument."""

    @R.function(pure=False)
    def main(x: R.Tensor((2, 3), "float32")):
        with R.dataflow():
            a = R.add(x, x)
            R.output(a)
        b = R.call_packed("vm.builtin.copy", a, ty_args=R.Tensor((2, 3), "float32"))
        with R.dataflow():
            c = R.negative(x)
            d = R.call_pure_packed("vm.builtin.copy", c, ty_args=R.Tensor((2, 3), "float32"))
            e = R.multiply(b, d)
            f = R.call_dps_packed("runtime.TVMTensorCopyFromTo", (e,), out_ty=R.Tensor((2, 3), "float32"))
            g = R.subtract(f, b)
            R.output(f, g)
        return (f, g, b)


def packed(x):
    e = (x + x) * -x
    return [e, e - 2 * x, 2 * x]


@I.ir_module
class InPlace:
    """A callee writes into its argument; the caller reads it under two names."""

    @T.prim_func(private=True, s_tir=True)
    def double(a: T.Buffer((T.int64(2), T.int64(3)), "float32")):
        for i, j in T.grid(T.int64(2), T.int64(3)):
            with T.sblock("double"):
                v_i, v_j = T.axis.remap("SS", [i, j])
                a[v_i, v_j] = a[v_i, v_j] * T.float32(2)

    @T.prim_func(private=True, s_tir=True)
    def swap(
        a: T.Buffer((T.int64(2), T.int64(3)), "float32"),
        b: T.Buffer((T.int64(2), T.int64(3)), "float32"),
        k: T.int64,
        c: T.Buffer((T.int64(2), T.int64(3)), "float32"),
    ):
        for i, j in T.grid(T.int64(2), T.int64(3)):
            with T.sblock("swap"):
                v_i, v_j = T.axis.remap("SS", [i, j])
                c[v_i, v_j] = a[v_i, v_j] + T.Cast("float32", k)
                b[v_i, v_j] = a[v_i, v_j] - b[v_i, v_j]

    @R.function(private=True)
    def callee(p: R.Tensor((2, 3), "float32")) -> R.Tensor((2, 3), "float32"):
        cls = InPlace
        return R.call_tir_inplace(cls.double, (p,), inplace_indices=[0], out_ty=R.Tensor((2, 3), "float32"))

    @R.function
    def main(x: R.Tensor((2, 3), "float32"), w: R.Tensor((2, 3), "float32")):
        cls = InPlace
        a = R.add(x, x)
        alias = a
        pair = (w, alias)
        b = cls.callee(a)
        c = R.add(alias, x)
        d = R.call_tir_inplace(
            cls.swap,
            (w, b, T.int64(3)),
            inplace_indices=[-1, 1],
            out_ty=[R.Tensor((2, 3), "float32"), R.Tensor((2, 3), "float32")],
        )
        e = pair[1]
        f = R.negative(e)
        g = cls.callee(w)
        return (c, d, f, g, w)


def in_place(x, w):
    a = 4 * x
    return [a + x, w + 3, w - a, a - w, 2 * w, 2 * w]


@I.ir_module
class Overlapping:
    """A kernel that gets one tensor twice and writes into it: each element is read after it was written."""

    @T.prim_func(private=True, s_tir=True)
    def shift(a: T.Buffer((T.int64(64),), "float32"), b: T.Buffer((T.int64(64),), "float32")):
        for i in range(T.int64(63)):
            with T.sblock("shift"):
                v_i = T.axis.spatial(T.int64(63), i)
                b[v_i + T.int64(1)] = a[v_i] + T.float32(1)

    @R.function
    def main(x: R.Tensor((64,), "float32")):
        cls = Overlapping
        return R.call_tir_inplace(cls.shift, (x, x), inplace_indices=[1], out_ty=R.Tensor((64,), "float32"))


@I.ir_module
class Symbols:
    """Symbolic lengths through calls, and match_cast in a branch. A shape and a number are parameters too."""

    @R.function(private=True)
    def padded(p: R.Tensor(("m", "k"), "float32"), s: R.Shape(["k", 2])) -> R.Tensor(("m", "k + 2"), "float32"):
        return R.nn.pad(p, (0, 0, 1, 1))

    @R.function
    def main(x: R.Tensor(("n", 3), "float32"), y: R.Tensor(ndim=2, dtype="float32"), c: R.Tensor((), "bool")):
        n = T.int64()
        cls = Symbols
        a = cls.padded(x, R.shape([3, 2]))
        if c:
            t = T.int64()
            y1 = R.match_cast(y, R.Tensor((n, t), "float32"))
            b1 = cls.padded(y1, R.shape([t, 2]))
            b = R.sum(b1, axis=[1])
        else:
            b = R.zeros(R.shape([n]), "float32")
        d = R.clip(a, T.float32(-1), T.float32(2))
        e = R.full(R.shape([n, n + 1]), R.const(2.5, "float32"), "float32")
        return (b, (d, (e,)))


def symbols(x, y, c):
    n = len(x)
    b = y.sum(1) if c else np.zeros(n, "float32")
    return [b, np.clip(np.pad(x, ((0, 0), (1, 1))), -1, 2), np.full((n, n + 1), 2.5, "float32")]


@I.ir_module
class Scalars:
    """Constants bound to variables and of rank 0, and a symbolic length as an argument of a kernel."""

    @T.prim_func(private=True, s_tir=True)
    def scale(x_handle: T.handle, n: T.int64, k: T.int64, y_handle: T.handle):
        x = T.match_buffer(x_handle, (n, T.int64(3)), "float32")
        y = T.match_buffer(y_handle, (n, T.int64(3)), "float32")
        for i, j in T.grid(n, T.int64(3)):
            with T.sblock("scale"):
                v_i, v_j = T.axis.remap("SS", [i, j])
                y[v_i, v_j] = x[v_i, v_j] * T.Cast("float32", k)

    @R.function
    def main(x: R.Tensor(("n", 3), "float32"), s: R.Tensor((), "float32")):
        n = T.int64()
        cls = Scalars
        zero = R.const(0.5, "float32")
        rows = R.const(np.float32([1, 2, 3]))
        with R.dataflow():
            alias = rows
            a = R.call_tir(cls.scale, (x, n, n * 2 + 1), out_ty=R.Tensor((n, 3), "float32"))
            b = R.add(a, zero)
            c = R.maximum(b, s)
            d = R.multiply(c, alias)
            R.output(d)
        return (d, zero, rows)


def scalars(x, s):
    rows = np.float32([1, 2, 3])
    return [np.maximum(x * (2 * len(x) + 1) + np.float32(0.5), s) * rows, np.float32(0.5), rows]


@pytest.mark.parametrize("name", ["llvm", '{"kind": "llvm", "opt-level": 3}'])
def test_buffers_overlap_unless_the_primfunc_denies_it(name):
    for pipeline in ("fast", "default"):
        program = compile_functions({"main": Overlapping}, parse_target(name, pipeline))
        assert program.fallback == ""
        [y] = program.run("main", {"x": np.zeros(64, "float32")})
        assert y.tolist() == list(range(64))


CASES = [
    (Branches, branches, {"x": X, "c": YES, "d": NO}),
    (Branches, branches, {"x": X, "c": NO, "d": YES}),
    (Branches, branches, {"x": X, "c": NO, "d": NO}),
    (Composites, composites, {"x": X, "w": W}),
    (Packed, packed, {"x": X}),
    (InPlace, in_place, {"x": X, "w": W}),
    (Symbols, symbols, {"x": X, "y": W[:, :2].copy(), "c": YES}),
    (Symbols, symbols, {"x": X, "y": W, "c": NO}),
    (Scalars, scalars, {"x": X, "s": np.array(1, "float32")}),
]


@pytest.mark.parametrize(("module", "reference", "arrays"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_both_pipelines_and_numpy_give_the_same_bits(module, reference, arrays):
    program, default = compile_functions({"main": module}, FAST), compile_functions({"main": module}, DEFAULT)
    assert program.fallback == ""
    given = {name: array.copy() for name, array in arrays.items()}
    want = bits(reference(*given.values()))
    for _ in range(2):  # a write in place reaches neither the arrays of the caller nor the next run
        assert bits(program.run("main", arrays)) == want
    assert bits(default.run("main", arrays)) == want
    assert all((arrays[name] == given[name]).all() for name in arrays)


# --- unsupported modules ------------------------------------------------------------------------------


@I.ir_module
class Printed:
    @R.function(pure=False)
    def main(x: R.Tensor((2, 3), "float32")):
        _ = R.print(x, format="{}")
        return x


@I.ir_module
class Unknown:
    @R.function
    def main(x: R.Tensor((2, 3), "float32")):
        return R.call_pure_packed("no.such.function", x, ty_args=R.Tensor((2, 3), "float32"))


@I.ir_module
class ShapeReturned:
    @R.function
    def main(x: R.Tensor((2, 3), "float32")):
        return R.shape_of(x)


@I.ir_module
class ShapeGiven:
    @R.function
    def main(x: R.Tensor((2, 3), "float32")):
        return R.call_dps_packed("runtime.TVMTensorCopyFromTo", (x, R.shape([2])), out_ty=R.Tensor((2, 3), "float32"))


@I.ir_module
class Untyped:
    @R.function
    def main(x: R.Tensor((2, 3), "float32")):
        return R.call_pure_packed("vm.builtin.copy", x, ty_args=R.Any)


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Printed, "a call of relax.print"),
        (Unknown, "a call of the packed function no.such.function"),
        (ShapeReturned, "a function that returns R.Shape([2, 3])"),
        (ShapeGiven, "a packed function with an argument of type R.Shape([2])"),
        (Untyped, "a function that returns R.Any"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_the_executor_cannot_run_is_refused_when_it_is_read(module, reason):
    with pytest.raises(Unsupported) as refused:
        Executor(module)
    assert str(refused.value) == reason


@I.ir_module
class Passed:
    """A local function is an argument of a private one. TVM's pipeline does not compile it."""

    @R.function(private=True)
    def twice(
        f: R.Callable((R.Tensor((2, 3), "float32"),), R.Tensor((2, 3), "float32"), True), x: R.Tensor((2, 3), "float32")
    ) -> R.Tensor((2, 3), "float32"):
        y = f(x)
        return f(y)

    @R.function
    def main(x: R.Tensor((2, 3), "float32"), w: R.Tensor((2, 3), "float32")):
        cls = Passed

        @R.function
        def local(p: R.Tensor((2, 3), "float32")) -> R.Tensor((2, 3), "float32"):
            return R.add(p, w)

        return cls.twice(local, x)


def test_a_local_function_can_be_an_argument():
    program = compile_functions({"main": Passed}, FAST)
    assert program.fallback == ""
    assert bits(program.run("main", {"x": X, "w": W})) == bits([X + W + W])
