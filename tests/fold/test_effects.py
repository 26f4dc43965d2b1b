"""foldproof.fold: what a fold may cross. Each row is a module: the pass folds it or refuses it, and both are executed.

A row says what becomes of the pads of the module. WRONG: refused, and a pass that sees no effects returns other bits.
UNSURE: refused, although nothing goes wrong as it stands. FOLDS: folded, with the same bits.
"""

import functools
import math
from functools import cache
from textwrap import dedent, indent

import numpy as np
import pytest
import tvm
from tests.support.foldings import QUICK, fold
from tvm import relax

from foldproof.fold import (
    FoldExplicitPadding,
    Kind,
    Refused,
    crossing,
    effects,
    joined_pads,
    rewrite,
    sharing,
    simplification,
)
from foldproof.fold.paths import Path

FOLDS = "folds"
WRONG = "refused (in-place), or else wrong"
UNSURE = "refused (in-place), unsure"
APART = "stays as it is, or else wrong"

KERNELS = """
@T.prim_func(private=True, s_tir=True)
def negate(a: T.Buffer((1, 1, 4), "float32")):
    for i in range(4):
        with T.sblock("negate"):
            v = T.axis.spatial(4, i)
            a[0, 0, v] = a[0, 0, v] * T.float32(-1)

@T.prim_func(private=True, s_tir=True)
def negate_padded(a: T.Buffer((1, 1, 6), "float32")):
    for i in range(6):
        with T.sblock("negate"):
            v = T.axis.spatial(6, i)
            a[0, 0, v] = a[0, 0, v] * T.float32(-1)

@T.prim_func(private=True, s_tir=True)
def negate_one(a: T.Buffer((1, 1, 1), "float32")):
    with T.sblock("negate"):
        a[0, 0, 0] = a[0, 0, 0] * T.float32(-1)

@T.prim_func(private=True, s_tir=True)
def double_padded(a: T.Buffer((1, 1, 6), "float32"), b: T.Buffer((1, 1, 6), "float32")):
    for i, j, k in T.grid(1, 1, 6):
        with T.sblock("double"):
            n, c, w = T.axis.remap("SSS", [i, j, k])
            b[n, c, w] = a[n, c, w] * T.float32(2)

@T.prim_func(private=True, s_tir=True)
def raise_one(a: T.Buffer((1, 1, 1), "float32")):
    with T.sblock("raise"):
        a[0, 0, 0] = a[0, 0, 0] + T.float32(1)

@T.prim_func(private=True, s_tir=True)
def copy(a: T.Buffer((1, 1, 4), "float32"), b: T.Buffer((1, 1, 4), "float32")):
    for i in range(4):
        with T.sblock("copy"):
            v = T.axis.spatial(4, i)
            b[0, 0, v] = a[0, 0, v]

@T.prim_func(private=True, s_tir=True)
def double(a: T.Buffer((1, 1, 4), "float32"), b: T.Buffer((1, 1, 4), "float32")):
    for i in range(4):
        with T.sblock("double"):
            v = T.axis.spatial(4, i)
            b[0, 0, v] = a[0, 0, v] * T.float32(2)

@R.function(private=True)
def flip(p: X) -> X:
    cls = Module
    gv = R.call_tir_inplace(cls.negate, (p,), inplace_indices=[0], out_ty=X)
    return gv
"""
"""In every module: ``flip`` writes into its parameter. X stands for float32 (1, 1, 4), Y for the padded (1, 1, 6)."""

PAD, ONE = "(0, 0, 0, 0, 1, 1)", "R.Tensor((1, 1, 1), 'float32')"

ROWS = {
    # --- several operands, other spellings, copies
    "a callee writes into an op between the data and a step that joins": (
        WRONG,
        """
        @R.function(private=True)
        def flip_padded(p: Y) -> Y:
            cls = Module
            gv = R.call_tir_inplace(cls.negate_padded, (p,), inplace_indices=[0], out_ty=Y)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = R.nn.relu(lv1)
            lv3 = cls.flip_padded(lv2)
            lv4 = R.multiply(lv1, lv2)
            lv5 = R.nn.conv1d(lv4, w)
            gv = (lv3, lv5)
            return gv
        """,
    ),
    "a callee writes into the data of a step that joins": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = cls.flip(lv)
            lv3 = R.nn.relu(lv1)
            lv4 = R.multiply(lv1, lv3)
            lv5 = R.nn.conv1d(lv4, w)
            gv = (lv2, lv5)
            return gv
        """,
    ),
    "a callee writes between pads alike and the op that joins them": (
        APART,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.multiply(x, x)
            lv2 = R.nn.pad(lv, PAD)
            lv3 = R.nn.pad(lv1, PAD)
            lv4 = cls.flip(lv1)
            lv5 = R.add(lv2, lv3)
            gv = (lv4, lv5)
            return gv
        """,
    ),
    "pads alike are joined after a write": (
        FOLDS,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.multiply(x, x)
            lv2 = cls.flip(lv1)
            lv3 = R.nn.pad(lv, PAD)
            lv4 = R.nn.pad(lv2, PAD)
            lv5 = R.add(lv3, lv4)
            lv6 = R.nn.conv1d(lv5, w)
            return lv6
        """,
    ),
    "a callee writes between a concat with constants and its reader": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.concat((R.zeros(R.shape([1, 1, 1]), "float32"), lv), axis=2)
            lv2 = cls.flip(lv)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a callee writes into what a concat adds": (
        WRONG,
        """
        @R.function(private=True)
        def set_one(p: ONE) -> ONE:
            cls = Module
            gv = R.call_tir_inplace(cls.raise_one, (p,), inplace_indices=[0], out_ty=ONE)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.zeros(R.shape([1, 1, 1]), "float32")
            lv2 = cls.set_one(lv1)
            lv3 = R.concat((lv1, lv), axis=2)
            lv4 = R.nn.conv1d(lv3, w)
            gv = (lv2, lv4)
            return gv
        """,
    ),
    "a callee writes between a split of a pad and its element": (
        APART,
        """
        @R.function(private=True)
        def flip_padded(p: Y) -> Y:
            cls = Module
            gv = R.call_tir_inplace(cls.negate_padded, (p,), inplace_indices=[0], out_ty=Y)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.nn.pad(x, (0, 0, 0, 0, 2, 0), pad_value=1.0)
            lv1 = R.nn.relu(lv)
            lv2 = R.split(lv1, [5], axis=2)
            lv3 = cls.flip_padded(lv1)
            lv4 = lv2[0]
            lv5 = R.nn.conv1d(lv4, w)
            gv = (lv3, lv5)
            return gv
        """,
    ),
    "a callee writes between a mirrored pad and its max_pool": (
        WRONG,
        """
        @R.function
        def main(x: X):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD, pad_mode="replicate")
            lv2 = cls.flip(lv)
            lv3 = R.nn.max_pool1d(lv1, (2,))
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a callee writes before a mirrored pad": (
        FOLDS,
        """
        @R.function
        def main(x: X):
            cls = Module
            lv = R.add(x, x)
            lv1 = cls.flip(lv)
            lv2 = R.nn.pad(lv1, PAD, pad_mode="replicate")
            lv3 = R.nn.max_pool1d(lv2, (2,))
            return lv3
        """,
    ),
    "a callee writes below the bound that makes all zeros alike": (
        UNSURE,
        """
        @R.function
        def main(x: X):
            cls = Module
            lv = R.nn.relu(x)
            lv1 = cls.flip(lv)
            lv2 = R.nn.pad(lv, PAD, pad_mode="reflect")
            lv3 = R.nn.max_pool1d(lv2, (3,))
            gv = (lv1, lv3)
            return gv
        """,
    ),
    # --- functions of the module
    "a callee writes into its parameter": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = cls.flip(lv)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a callee of a callee writes": (
        WRONG,
        """
        @R.function(private=True)
        def second(p: X) -> X:
            cls = Module
            gv = cls.flip(p)
            return gv

        @R.function(private=True)
        def first(p: X) -> X:
            cls = Module
            gv = cls.second(p)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = cls.first(lv)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a public callee writes": (
        WRONG,
        """
        @R.function
        def public(p: X) -> X:
            cls = Module
            gv = R.call_tir_inplace(cls.negate, (p,), inplace_indices=[0], out_ty=X)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.nn.pad(x, PAD)
            lv1 = cls.public(x)
            lv2 = R.nn.conv1d(lv, w)
            gv = (lv1, lv2)
            return gv
        """,
    ),
    "a callee writes into the pad": (
        WRONG,
        """
        @R.function(private=True)
        def flip_padded(p: Y) -> Y:
            cls = Module
            gv = R.call_tir_inplace(cls.negate_padded, (p,), inplace_indices=[0], out_ty=Y)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.nn.pad(x, PAD)
            lv1 = cls.flip_padded(lv)
            lv2 = R.nn.conv1d(lv, w)
            gv = (lv1, lv2)
            return gv
        """,
    ),
    "a callee writes into a step": (
        WRONG,
        """
        @R.function(private=True)
        def flip_padded(p: Y) -> Y:
            cls = Module
            gv = R.call_tir_inplace(cls.negate_padded, (p,), inplace_indices=[0], out_ty=Y)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.nn.pad(x, PAD)
            lv1 = R.nn.relu(lv)
            lv2 = cls.flip_padded(lv1)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a callee calls itself and writes": (
        WRONG,
        """
        @R.function(private=True)
        def again(c: C, d: C, p: X) -> X:
            cls = Module
            if c:
                gv = cls.again(d, d, p)
            else:
                gv = R.call_tir_inplace(cls.negate, (p,), inplace_indices=[0], out_ty=X)
            return gv

        @R.function
        def main(c: C, d: C, x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = cls.again(c, d, lv)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "two functions call each other, and one changes places and writes": (
        WRONG,
        """
        @R.function(private=True)
        def ping(c: C, d: C, p: X, q: X) -> X:
            cls = Module
            if c:
                gv = cls.pong(d, d, q, p)
            else:
                gv = R.call_tir_inplace(cls.negate, (p,), inplace_indices=[0], out_ty=X)
            return gv

        @R.function(private=True)
        def pong(c: C, d: C, p: X, q: X) -> X:
            cls = Module
            gv = cls.ping(c, d, p, q)
            return gv

        @R.function
        def main(c: C, d: C, x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            other = R.multiply(x, x)
            lv2 = cls.pong(c, d, other, lv)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a callee that calls itself writes nothing": (
        FOLDS,
        """
        @R.function(private=True)
        def again(c: C, d: C, p: X) -> X:
            cls = Module
            if c:
                gv = cls.again(d, d, p)
            else:
                gv = R.nn.relu(p)
            return gv

        @R.function
        def main(c: C, d: C, x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = cls.again(c, d, lv)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a callee writes into a tensor of its own": (
        FOLDS,
        """
        @R.function(private=True)
        def own(p: X) -> X:
            cls = Module
            lv = R.add(p, p)
            gv = cls.flip(lv)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = cls.own(lv)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a callee writes into what a kernel has made": (
        FOLDS,
        """
        @R.function(private=True)
        def own(p: X) -> X:
            cls = Module
            lv = R.call_tir(cls.double, (p,), out_ty=X)
            gv = cls.flip(lv)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.nn.pad(x, PAD)
            lv1 = cls.own(x)
            lv2 = R.nn.conv1d(lv, w)
            gv = (lv1, lv2)
            return gv
        """,
    ),
    "a callee writes into another tensor": (
        FOLDS,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            other = R.multiply(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = cls.flip(other)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a callee writes into one of its parameters, and the pad is of the other": (
        FOLDS,
        """
        @R.function(private=True)
        def second(p: X, q: X) -> X:
            cls = Module
            lv = cls.flip(q)
            gv = R.add(p, lv)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            other = R.multiply(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = cls.second(lv, other)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a caller writes before and after a callee that folds": (
        FOLDS,
        """
        @R.function(private=True)
        def site(p: X, w: W) -> Y:
            lv = R.nn.pad(p, PAD)
            gv = R.nn.conv1d(lv, w)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = cls.flip(x)
            lv1 = cls.site(lv, w)
            lv2 = cls.flip(lv)
            gv = (lv1, lv2)
            return gv
        """,
    ),
    "a callee writes before the pad": (
        FOLDS,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = cls.flip(lv)
            lv2 = R.nn.pad(lv, PAD)
            lv3 = R.nn.conv1d(lv2, w)
            lv4 = R.nn.pad(lv1, PAD)
            lv5 = R.nn.relu(lv4)
            lv6 = R.nn.conv1d(lv5, w)
            gv = (lv1, lv3, lv6)
            return gv
        """,
    ),
    "a callee writes before the step that bounds what is padded": (
        FOLDS,
        """
        @R.function
        def main(x: X):
            cls = Module
            lv = cls.flip(x)
            lv1 = R.nn.relu(x)
            lv2 = R.nn.pad(lv1, PAD, pad_value=-0.5)
            lv3 = R.nn.max_pool1d(lv2, (2,))
            gv = (lv, lv3)
            return gv
        """,
    ),
    "a callee writes after the consumer": (
        UNSURE,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.nn.pad(x, PAD)
            lv1 = R.nn.conv1d(lv, w)
            lv2 = cls.flip(x)
            gv = (lv1, lv2)
            return gv
        """,
    ),
    "a callee writes before a copy is made": (
        FOLDS,
        """
        @R.function
        def main(x: X):
            cls = Module
            lv = cls.flip(x)
            lv1 = R.nn.pad(x, (0, 0, 0, 0, 0, 0))
            lv2 = R.nn.relu(lv1)
            gv = (lv, lv2)
            return gv
        """,
    ),
    "a local function that writes is called between": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)

            @R.function
            def inner(q: X) -> X:
                gv5 = cls.flip(q)
                return gv5

            lv1 = R.nn.pad(lv, PAD)
            lv2 = inner(lv)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a composite function is called": (
        FOLDS,
        """
        @R.function(private=True)
        def scaled(p: X) -> X:
            R.func_attr({"Composite": "backend.scaled"})
            with R.dataflow():
                gv = R.multiply(p, R.const(3, "float32"))
                R.output(gv)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.nn.pad(x, PAD)
            lv1 = cls.scaled(x)
            lv2 = R.nn.conv1d(lv, w)
            gv = (lv1, lv2)
            return gv
        """,
    ),
    "a callee that is not pure prints": (
        UNSURE,
        """
        @R.function(private=True, pure=False)
        def shows(p: X) -> X:
            _ = R.print(R.str("shown"), format="{}")
            return p

        @R.function(pure=False)
        def main(x: X, w: W) -> R.Tuple(X, Y):
            cls = Module
            lv = R.nn.pad(x, PAD)
            lv1: X = cls.shows(x)
            lv2 = R.nn.conv1d(lv, w)
            gv = (lv1, lv2)
            return gv
        """,
    ),
    # --- parameters
    "a caller passes a tensor twice": (
        WRONG,
        """
        @R.function(private=True)
        def both(p: X, q: X, w: W) -> R.Tuple(X, Y):
            cls = Module
            lv = R.nn.pad(p, PAD)
            lv1 = R.call_tir_inplace(cls.negate, (q,), inplace_indices=[0], out_ty=X)
            lv2 = R.nn.conv1d(lv, w)
            gv = (lv1, lv2)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            gv = cls.both(x, x, w)
            return gv
        """,
    ),
    "a callee returns its parameter, and the caller writes into the result": (
        WRONG,
        """
        @R.function(private=True)
        def same(p: X) -> X:
            return p

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = cls.same(lv)
            lv3 = R.call_tir_inplace(cls.negate, (lv2,), inplace_indices=[0], out_ty=X)
            lv4 = R.nn.conv1d(lv1, w)
            gv = (lv3, lv4)
            return gv
        """,
    ),
    "a callee returns a tensor of its own, and the caller writes into the result": (
        FOLDS,
        """
        @R.function(private=True)
        def fresh(p: X) -> X:
            gv = R.nn.relu(p)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = cls.fresh(lv)
            lv3 = R.call_tir_inplace(cls.negate, (lv2,), inplace_indices=[0], out_ty=X)
            lv4 = R.nn.conv1d(lv1, w)
            gv = (lv3, lv4)
            return gv
        """,
    ),
    # --- tuples
    "a callee writes into an element of a tuple": (
        WRONG,
        """
        @R.function(private=True)
        def flip_second(t: R.Tuple(X, X)) -> X:
            cls = Module
            lv = t[1]
            gv = R.call_tir_inplace(cls.negate, (lv,), inplace_indices=[0], out_ty=X)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            other = R.multiply(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = cls.flip_second((other, lv))
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "an element of a tuple is passed to a callee that writes": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            t = (x, lv)
            lv2 = t[1]
            lv3 = cls.flip(lv2)
            lv4 = R.nn.conv1d(lv1, w)
            gv = (lv3, lv4)
            return gv
        """,
    ),
    "a callee returns its parameter in a tuple": (
        WRONG,
        """
        @R.function(private=True)
        def pair(p: X) -> R.Tuple(X, X):
            lv = R.nn.relu(p)
            gv = (lv, p)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            t = cls.pair(lv)
            lv2 = t[1]
            lv3 = cls.flip(lv2)
            lv4 = R.nn.conv1d(lv1, w)
            gv = (lv3, lv4)
            return gv
        """,
    ),
    "another element of the tuple is written": (
        UNSURE,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            other = R.multiply(x, x)
            lv1 = R.nn.pad(lv, PAD)
            t = (other, lv)
            lv2 = t[0]
            lv3 = cls.flip(lv2)
            lv4 = R.nn.conv1d(lv1, w)
            gv = (lv3, lv4)
            return gv
        """,
    ),
    "a result in a tuple is written, and the pad is of neither": (
        FOLDS,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = R.nn.conv1d(lv1, w)
            t = (lv2, R.multiply(x, x))
            lv3 = t[1]
            lv4 = cls.flip(lv3)
            gv = (lv2, lv4)
            return gv
        """,
    ),
    "the input of the pad is returned beside a tensor that is written": (
        FOLDS,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            other = R.multiply(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = cls.flip(other)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv, lv2, lv3)
            return gv
        """,
    ),
    "an element of the returned tuple is written, after the consumer": (
        UNSURE,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = R.nn.conv1d(lv1, w)
            gv = (lv, lv2)
            lv3 = gv[0]
            _ = cls.flip(lv3)
            return gv
        """,
    ),
    # --- branches
    "a branch calls a function that writes": (
        WRONG,
        """
        @R.function
        def main(c: C, x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            if c:
                y = cls.flip(lv)
            else:
                y = R.nn.relu(lv)
            lv2 = R.nn.conv1d(lv1, w)
            gv = (y, lv2)
            return gv
        """,
    ),
    "a callee writes in a branch": (
        WRONG,
        """
        @R.function(private=True)
        def perhaps(c: C, p: X) -> X:
            cls = Module
            if c:
                gv = cls.flip(p)
            else:
                gv = R.nn.relu(p)
            return gv

        @R.function
        def main(c: C, x: X, w: W):
            cls = Module
            lv = R.nn.pad(x, PAD)
            lv1 = cls.perhaps(c, x)
            lv2 = R.nn.conv1d(lv, w)
            gv = (lv1, lv2)
            return gv
        """,
    ),
    "a branch returns the input of the pad, which is then written": (
        WRONG,
        """
        @R.function
        def main(c: C, x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            other = R.multiply(x, x)
            lv1 = R.nn.pad(lv, PAD)
            if c:
                y = lv
            else:
                y = other
            lv2 = cls.flip(y)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "the consumer is in a branch, behind a call that writes": (
        WRONG,
        """
        @R.function
        def main(c: C, x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            if c:
                lv2 = cls.flip(lv)
                lv3 = R.nn.conv1d(lv1, w)
                y = (lv2, lv3)
            else:
                lv4 = R.nn.conv1d(lv1, w)
                y = (x, lv4)
            return y
        """,
    ),
    "branches write into tensors of their own": (
        FOLDS,
        """
        @R.function
        def main(c: C, x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            if c:
                lv2 = R.nn.relu(lv)
                y = cls.flip(lv2)
            else:
                y = R.multiply(lv, lv)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (y, lv3)
            return gv
        """,
    ),
    # --- local functions and closures
    "a local function writes into what it captures": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)

            @R.function
            def inner(q: X) -> X:
                lv5 = cls.flip(lv)
                gv5 = R.multiply(lv5, q)
                return gv5

            lv2: R.Any = inner(x)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a local function writes into its parameter": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)

            @R.function
            def inner(q: X) -> X:
                gv5 = cls.flip(q)
                return gv5

            lv2 = inner(lv)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a local function writes into a tensor of its own": (
        FOLDS,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)

            @R.function
            def inner(q: X) -> X:
                lv5 = R.add(q, q)
                gv5 = cls.flip(lv5)
                return gv5

            lv2 = inner(lv)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a function that writes is called by another name": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)

            @R.function
            def inner(q: X) -> X:
                gv5 = cls.flip(q)
                return gv5

            other = inner
            lv2 = other(lv)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a closure of a function that writes is invoked": (
        WRONG,
        """
        @R.function(private=True)
        def second(p: X, q: X) -> X:
            cls = Module
            lv = cls.flip(q)
            gv = R.add(p, lv)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            other = R.multiply(x, x)
            lv1 = R.nn.pad(lv, PAD)
            closure = R.make_closure(cls.second, (lv,))
            lv2 = R.invoke_pure_closure(closure, (other,), ty_args=X)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a closure of a function that writes into another parameter is invoked": (
        FOLDS,
        """
        @R.function(private=True)
        def second(p: X, q: X) -> X:
            cls = Module
            lv = cls.flip(q)
            gv = R.add(p, lv)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            other = R.multiply(x, x)
            lv1 = R.nn.pad(lv, PAD)
            closure = R.make_closure(cls.second, (other,))
            lv2 = R.invoke_pure_closure(closure, (lv,), ty_args=X)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a closure is invoked by the call that is not pure": (
        WRONG,
        """
        @R.function(pure=False)
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            closure = R.make_closure(cls.flip, (lv,))
            lv2 = R.invoke_closure(closure, (), ty_args=X)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a callee makes the closure": (
        WRONG,
        """
        @R.function(private=True)
        def make(p: X):
            cls = Module
            closure = R.make_closure(cls.flip, (p,))
            return closure

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            closure = cls.make(lv)
            lv2 = R.invoke_pure_closure(closure, (), ty_args=X)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a closure that a callee returns reads the pad later": (
        WRONG,
        """
        @R.function(private=True)
        def make(p: X, w: W) -> R.Callable((X,), Y):
            lv = R.nn.pad(p, PAD)

            @R.function
            def inner(q: X) -> Y:
                gv5 = R.nn.conv1d(lv, w)
                return gv5

            return inner

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            closure = cls.make(lv, w)
            lv1 = cls.flip(lv)
            lv2: R.Any = closure(x)
            gv = (lv1, lv2)
            return gv
        """,
    ),
    "a function is passed to one that calls it": (
        WRONG,
        """
        @R.function(private=True)
        def apply(f: R.Callable((X,), X), p: X) -> X:
            gv = f(p)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)

            @R.function
            def inner(q: X) -> X:
                gv5 = cls.flip(q)
                return gv5

            lv2 = cls.apply(inner, lv)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    # --- kernels that break the contract of call_tir
    "a kernel stores into its input": (
        WRONG,
        """
        @T.prim_func(private=True, s_tir=True)
        def moves(a: T.Buffer((1, 1, 4), "float32"), b: T.Buffer((1, 1, 4), "float32")):
            for i in range(4):
                with T.sblock("moves"):
                    v = T.axis.spatial(4, i)
                    b[0, 0, v] = a[0, 0, v] * T.float32(3)
                    a[0, 0, v] = T.float32(7)

        @R.function(private=True)
        def moved(p: X) -> X:
            cls = Module
            gv = R.call_tir(cls.moves, (p,), out_ty=X)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = cls.moved(lv)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    # --- calls out of the module
    "a packed function writes in place": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = R.call_inplace_packed("foldproof.tests.negate", lv, inplace_indices=[0], ty_args=X)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a packed function in a callee writes in place": (
        WRONG,
        """
        @R.function(private=True)
        def packed(p: X) -> X:
            gv = R.call_inplace_packed("foldproof.tests.negate", p, inplace_indices=[0], ty_args=X)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.nn.pad(x, PAD)
            lv1 = cls.packed(x)
            lv2 = R.nn.conv1d(lv, w)
            gv = (lv1, lv2)
            return gv
        """,
    ),
    "a packed function that is not pure writes": (
        WRONG,
        """
        @R.function(pure=False)
        def main(x: X, w: W):
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = R.call_packed("foldproof.tests.negate", lv, ty_args=X)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a packed function writes into what it got before": (
        WRONG,
        """
        @R.function(pure=False)
        def main(x: X, w: W):
            lv = R.add(x, x)
            _ = R.call_packed("foldproof.tests.keep", lv, ty_args=X)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = R.call_packed("foldproof.tests.negate_kept", ty_args=X)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a packed function never got what the pad reads": (
        FOLDS,
        """
        @R.function(pure=False)
        def main(x: X, w: W):
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = R.call_packed("foldproof.tests.negate", x, ty_args=X)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a pure packed function returns its argument, which is then written": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = R.call_pure_packed("foldproof.tests.keep", lv, ty_args=X)
            lv3 = cls.flip(lv2)
            lv4 = R.nn.conv1d(lv1, w)
            gv = (lv3, lv4)
            return gv
        """,
    ),
    "the output of call_dps_packed is written": (
        FOLDS,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = R.call_dps_packed("foldproof.tests.double_into", (lv,), out_ty=X)
            lv3 = cls.flip(lv2)
            lv4 = R.nn.conv1d(lv1, w)
            gv = (lv3, lv4)
            return gv
        """,
    ),
    "a closure that is passed on returns what it holds, which is then written": (
        WRONG,
        """
        @R.function(private=True)
        def second(p: X, q: X) -> X:
            return q

        @R.function(private=True)
        def apply(f: R.Any, p: X) -> X:
            gv = R.invoke_pure_closure(f, (p,), ty_args=X)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            other = R.multiply(x, x)
            lv1 = R.nn.pad(lv, PAD)
            closure = R.make_closure(cls.second, (lv,))
            lv2 = cls.apply(closure, other)
            lv3 = cls.flip(lv2)
            lv4 = R.nn.conv1d(lv1, w)
            gv = (lv3, lv4)
            return gv
        """,
    ),
    "a packed function writes into a parameter that it knows": (
        WRONG,
        """
        @R.function(pure=False)
        def main(x: X, w: W):
            lv = R.nn.pad(x, PAD)
            lv1 = R.call_packed("foldproof.tests.negate_kept", ty_args=X)
            lv2 = R.nn.conv1d(lv, w)
            gv = (lv1, lv2)
            return gv
        """,
    ),
    "a pure packed function keeps its argument, and another one writes into it": (
        WRONG,
        """
        @R.function(pure=False)
        def main(x: X, w: W):
            lv = R.add(x, x)
            lv1 = R.call_pure_packed("foldproof.tests.keep", lv, ty_args=X)
            lv2 = R.nn.pad(lv, PAD)
            lv3 = R.multiply(lv1, lv1)
            lv4 = R.call_packed("foldproof.tests.negate_kept", ty_args=X)
            lv5 = R.nn.conv1d(lv2, w)
            gv = (lv3, lv4, lv5)
            return gv
        """,
    ),
    # --- other names and views
    "another name of the input is written": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = lv
            lv3 = cls.flip(lv2)
            lv4 = R.nn.conv1d(lv1, w)
            gv = (lv3, lv4)
            return gv
        """,
    ),
    "a match_cast of the input is written": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = R.match_cast(lv, R.Tensor((1, 1, 4), "float32"))
            lv3 = cls.flip(lv2)
            lv4 = R.nn.conv1d(lv1, w)
            gv = (lv3, lv4)
            return gv
        """,
    ),
    "a reshape of the input is written": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            with R.dataflow():
                lv = R.add(x, x)
                lv1 = R.nn.pad(lv, PAD)
                lv2 = R.reshape(lv, (1, 1, 4))
                lv3 = cls.flip(lv2)
                lv4 = R.nn.conv1d(lv1, w)
                gv = (lv3, lv4)
                R.output(gv)
            return gv
        """,
    ),
    "a sum with zero, which TVM makes a view, is written": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            with R.dataflow():
                lv = R.add(x, x)
                lv1 = R.nn.pad(lv, PAD)
                lv2 = R.add(lv, R.const(0, "float32"))
                lv3 = cls.flip(lv2)
                lv4 = R.nn.conv1d(lv1, w)
                gv = (lv3, lv4)
                R.output(gv)
            return gv
        """,
    ),
    "a copy by a kernel, which TVM makes a view, is written": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            with R.dataflow():
                lv = R.add(x, x)
                lv1 = R.nn.pad(lv, PAD)
                lv2 = R.call_tir(cls.copy, (lv,), out_ty=X)
                lv3 = cls.flip(lv2)
                lv4 = R.nn.conv1d(lv1, w)
                gv = (lv3, lv4)
                R.output(gv)
            return gv
        """,
    ),
    "a pad of no width, which TVM makes a view, is written": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            with R.dataflow():
                lv = R.add(x, x)
                lv1 = R.nn.pad(lv, PAD)
                lv2 = R.nn.pad(lv, (0, 0, 0, 0, 0, 0))
                lv3 = cls.flip(lv2)
                lv4 = R.nn.conv1d(lv1, w)
                gv = (lv3, lv4)
                R.output(gv)
            return gv
        """,
    ),
    "a view of memory is written": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = R.memory.view(lv, R.shape([1, 1, 4]), R.dtype("float32"), R.prim_value(0))
            lv3 = cls.flip(lv2)
            lv4 = R.nn.conv1d(lv1, w)
            gv = (lv3, lv4)
            return gv
        """,
    ),
    "what is computed from the input is written": (
        FOLDS,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            with R.dataflow():
                lv = R.add(x, x)
                lv1 = R.nn.pad(lv, PAD)
                lv2 = R.nn.relu(lv)
                lv3 = cls.flip(lv2)
                lv4 = R.nn.conv1d(lv1, w)
                gv = (lv3, lv4)
                R.output(gv)
            return gv
        """,
    ),
    # --- copies: pads of no width
    "a callee returns a copy, and the caller writes into it": (
        WRONG,
        """
        @R.function(private=True)
        def copied(p: X) -> X:
            gv = R.nn.pad(p, (0, 0, 0, 0, 0, 0))
            return gv

        @R.function
        def main(x: X):
            cls = Module
            lv = R.add(x, x)
            lv1 = cls.copied(lv)
            lv2 = cls.flip(lv1)
            gv = (lv, lv2)
            return gv
        """,
    ),
    "a callee returns a tensor with its copy, and the caller writes into one": (
        WRONG,
        """
        @R.function(private=True)
        def twice(p: X) -> R.Tuple(X, X):
            lv = R.add(p, p)
            lv1 = R.nn.pad(lv, (0, 0, 0, 0, 0, 0))
            gv = (lv, lv1)
            return gv

        @R.function
        def main(x: X):
            cls = Module
            t = cls.twice(x)
            lv = t[0]
            lv1 = cls.flip(lv)
            lv2 = t[1]
            gv = (lv1, lv2)
            return gv
        """,
    ),
    "a copy is passed to a callee that writes": (
        WRONG,
        """
        @R.function
        def main(x: X):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, (0, 0, 0, 0, 0, 0))
            lv2 = cls.flip(lv1)
            gv = (lv, lv2)
            return gv
        """,
    ),
    "a copy that only the function itself reads": (
        FOLDS,
        """
        @R.function
        def main(x: X):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, (0, 0, 0, 0, 0, 0))
            lv2 = R.nn.relu(lv1)
            lv3 = R.multiply(x, x)
            lv4 = cls.flip(lv3)
            gv = (lv2, lv4)
            return gv
        """,
    ),
    # --- constants, bounds, pairs of pads
    "a callee writes into a constant that a step reads": (
        WRONG,
        """
        @R.function(private=True)
        def flip_one(p: ONE) -> ONE:
            cls = Module
            gv = R.call_tir_inplace(cls.negate_one, (p,), inplace_indices=[0], out_ty=ONE)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.nn.pad(x, PAD, pad_value=2.0)
            lv1 = cls.flip_one(R.const([[[2.0]]], "float32"))
            lv2 = R.subtract(lv, R.const([[[2.0]]], "float32"))
            lv3 = R.nn.conv1d(lv2, w)
            gv = (lv1, lv3)
            return gv
        """,
    ),
    "a callee writes below the bound of what is padded": (
        WRONG,
        """
        @R.function
        def main(x: X):
            cls = Module
            lv = R.nn.relu(x)
            lv1 = cls.flip(lv)
            lv2 = R.ceil(lv)
            lv3 = R.nn.pad(lv2, PAD, pad_value=-0.5)
            lv4 = R.nn.max_pool1d(lv3, (2,))
            gv = (lv1, lv4)
            return gv
        """,
    ),
    "a callee writes between two pads": (
        APART,
        """
        @R.function
        def main(x: X):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = cls.flip(lv)
            lv3 = R.nn.pad(lv1, PAD)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a callee writes into what a pad adds to, before a crop removes that": (
        APART,
        """
        @R.function
        def main(x: X):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = cls.flip(lv)
            lv3 = R.nn.relu(lv1)
            lv4 = R.nn.pad(lv3, (0, 0, 0, 0, -1, -1))
            gv = (lv2, lv4)
            return gv
        """,
    ),
    # --- what else a fold reads elsewhere
    "a slice crops what is padded, and a callee writes into the input": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = R.strided_slice(lv1, [2], [1], [5])
            lv3 = cls.flip(lv)
            lv4 = R.nn.conv1d(lv2, w, padding=1)
            gv = (lv3, lv4)
            return gv
        """,
    ),
    "a take crops what is padded, and a callee writes into the input": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = R.take(lv1, R.const([1, 2, 3, 4], 'int64'), axis=2)
            lv3 = cls.flip(lv)
            lv4 = R.nn.conv1d(lv2, w, padding=1)
            gv = (lv3, lv4)
            return gv
        """,
    ),
    "a callee writes between a split and the name of its piece": (
        APART,
        """
        @R.function(private=True)
        def flip_padded(p: Y) -> Y:
            cls = Module
            gv = R.call_tir_inplace(cls.negate_padded, (p,), inplace_indices=[0], out_ty=Y)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = R.split(lv1, [2, 5], axis=2)
            lv3 = cls.flip_padded(lv1)
            lv4 = cls.flip(lv)
            lv5 = lv2[1]
            lv6 = R.nn.conv1d(lv5, w)
            gv = (lv3, lv4, lv6)
            return gv
        """,
    ),
    "a slice removes what a pad adds, and a callee writes into the slice": (
        APART,
        """
        @R.function
        def main(x: X):
            cls = Module
            with R.dataflow():
                lv = R.add(x, x)
                lv1 = R.nn.pad(lv, PAD)
                lv2 = R.strided_slice(lv1, [2], [1], [5])
                lv3 = cls.flip(lv2)
                gv = (lv, lv3)
                R.output(gv)
            return gv
        """,
    ),
    "a callee writes elsewhere before a concat with zeros": (
        FOLDS,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = cls.flip(lv)
            lv2 = R.zeros((1, 1, 1), dtype='float32')
            lv3 = R.concat((lv2, x, lv2), axis=2)
            lv4 = R.nn.conv1d(lv3, w)
            gv = (lv1, lv4)
            return gv
        """,
    ),
    "a callee writes into the result of a kernel that the pad passes": (
        WRONG,
        """
        @R.function(private=True)
        def flip_padded(p: Y) -> Y:
            cls = Module
            gv = R.call_tir_inplace(cls.negate_padded, (p,), inplace_indices=[0], out_ty=Y)
            return gv

        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.nn.pad(x, PAD)
            lv1 = R.call_tir(cls.double_padded, (lv,), out_ty=Y)
            lv2 = cls.flip_padded(lv1)
            lv3 = R.nn.conv1d(lv1, w)
            gv = (lv2, lv3)
            return gv
        """,
    ),
    "a kernel that the pad passes reads the pad, and a callee writes into the input": (
        WRONG,
        """
        @R.function
        def main(x: X, w: W):
            cls = Module
            lv = R.add(x, x)
            lv1 = R.nn.pad(lv, PAD)
            lv2 = cls.flip(lv)
            lv3 = R.call_tir(cls.double_padded, (lv1,), out_ty=Y)
            lv4 = R.nn.conv1d(lv3, w)
            gv = (lv2, lv4)
            return gv
        """,
    ),
}


@cache
def parse(code):
    """Return the module of a row, which no pass changes in place."""
    code = dedent(code).replace("PAD", PAD)
    lines = indent(dedent(KERNELS) + code, "    ")
    for letter, ty in (("X", 4), ("Y", 6), ("W", 1)):
        lines = lines.replace(f": {letter}", f": R.Tensor((1, 1, {ty}), 'float32')").replace(
            f"-> {letter}", f"-> R.Tensor((1, 1, {ty}), 'float32')"
        )
        for before in ("out_ty=", "ty_args=", "Tuple(", "Callable((", ", "):
            for after in (",", ")"):
                lines = lines.replace(f"{before}{letter}{after}", f"{before}R.Tensor((1, 1, {ty}), 'float32'){after}")
    lines = lines.replace(": C", ": R.Tensor((), 'bool')").replace("ONE", ONE)
    return tvm.script.from_source(f"@I.ir_module\nclass Module:\n{lines}")


KEPT = []


@tvm.register_global_func("foldproof.tests.negate", override=True)
def _negate(tensor):
    tensor.copyfrom(-tensor.numpy())
    return tensor


@tvm.register_global_func("foldproof.tests.keep", override=True)
def _keep(tensor):
    KEPT.append(tensor)
    return tensor


@tvm.register_global_func("foldproof.tests.negate_kept", override=True)
def _negate_kept():
    return _negate(KEPT.pop())


@tvm.register_global_func("foldproof.tests.double_into", override=True)
def _double_into(source, target):
    target.copyfrom(source.numpy() * 2)


INPUTS = {
    "c": np.array(True),
    "d": np.array(False),
    "x": np.array([[[1, -2, 3, -4]]], "float32"),
    "w": np.full((1, 1, 1), 2, "float32"),
}


def run(module):
    """Return the bytes of everything that main returns, compiled by TVM's default pipeline."""
    executable = tvm.compile(relax.transform.LambdaLift()(module), QUICK)
    machine = relax.VirtualMachine(executable, tvm.cpu())
    names = [param.name for param in module["main"].params]
    tensors = [tvm.runtime.tensor(INPUTS[name].copy()) for name in names]
    KEPT[:] = [tensor for name, tensor in zip(names, tensors, strict=True) if name == "x"]
    out = machine["main"](*tensors)
    return [each.numpy().tobytes() for each in (out if hasattr(out, "__len__") else [out])]


@cache
def run_unfolded(name):
    return run(parse(ROWS[name][1]))


def fold_blindly(module):
    """Return what a pass makes of a module that takes every call for one that writes nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(effects.Effects, "__call__", lambda *_: None)
        return FoldExplicitPadding()(module)


def mostly_slow(names):
    """Return the names as parameters of a test; five of six are slow."""
    return [pytest.param(name, marks=[pytest.mark.slow] if i % 6 else []) for i, name in enumerate(names)]


@pytest.mark.parametrize("name", mostly_slow(ROWS))
def test_a_fold_crosses_only_what_does_not_write(name):
    expected, code = ROWS[name]
    module = parse(code)
    folded = fold(module)
    kinds = {r.outcome.kind for r in FoldExplicitPadding().explain(module) if isinstance(r.outcome, Refused)}
    assert folded.same_as(module) == (expected != FOLDS)
    assert (Kind.IN_PLACE in kinds) == (expected in (WRONG, UNSURE))
    if expected == FOLDS:
        assert run(folded) == run_unfolded(name)
    else:
        assert (run(fold_blindly(parse(code))) != run_unfolded(name)) == (expected in (WRONG, APART))


def test_a_refusal_names_the_call_that_may_write():
    module = parse(ROWS["a callee of a callee writes"][1])
    assert [str(report) for report in FoldExplicitPadding().explain(module)] == [
        "main: lv1 [constant pad of (1, 1, 4) to (1, 1, 6) by (0, 0, 0, 0, 1, 1) with 0.0] -> conv1d lv3: refused "
        "(in-place): the in-place call of first (lv2) may overwrite what the pad reads or makes"
    ]


def test_a_local_function_that_is_passed_on_may_return_what_it_captures():
    """TVM 0.27 does not compile it: the lifted closure is R.Any, which is no R.Callable."""
    code = """
    @R.function(private=True)
    def apply(f: R.Callable((X,), X), p: X) -> X:
        gv = f(p)
        return gv

    @R.function
    def main(x: X, w: W):
        cls = Module
        lv = R.add(x, x)
        other = R.multiply(x, x)
        lv1 = R.nn.pad(lv, PAD)

        @R.function
        def inner(q: X) -> X:
            gv5 = lv
            return gv5

        lv2 = cls.apply(inner, other)
        lv3 = cls.flip(lv2)
        lv4 = R.nn.conv1d(lv1, w)
        gv = (lv3, lv4)
        return gv
    """
    [report] = FoldExplicitPadding().explain(parse(code))
    assert report.outcome.kind is Kind.IN_PLACE


def test_what_a_pad_adds_and_a_crop_removes_is_a_copy_that_the_caller_writes_into():
    """One pad of no width would do the same, but TVM may make it a view of its input."""
    code = """
    @R.function(private=True)
    def copied(p: X) -> X:
        lv = R.nn.pad(p, PAD)
        gv = R.nn.pad(lv, (0, 0, 0, 0, -1, -1))
        return gv

    @R.function
    def main(x: X):
        cls = Module
        lv = R.add(x, x)
        lv1 = cls.copied(lv)
        lv2 = cls.flip(lv1)
        gv = (lv, lv2)
        return gv
    """
    module = parse(code)
    assert fold(module).same_as(module)
    assert run(fold_blindly(module)) != run(module)


def test_a_module_in_which_nothing_writes_has_no_summaries():
    module = parse(ROWS["a composite function is called"][1])
    del module["flip"]
    assert effects.Effects(module, lambda _: None)(module["main"]) is None


# --- results with storage of their own ------------------------------------------------------------------


def overwrite_result(op, *shapes):
    """Return what is left of the operands of an op when its result is overwritten in a dataflow block."""
    builder = relax.BlockBuilder()
    params = [relax.Var(f"x{i}", relax.TensorType(shape, "float32")) for i, shape in enumerate(shapes)]
    with builder.function("main", params):
        with builder.dataflow():
            operands = [builder.emit(relax.op.multiply(param, relax.const(2, "float32"))) for param in params]
            result = builder.emit(op(*operands))
            written = builder.emit(
                relax.op.call_inplace_packed("foldproof.tests.negate", result, inplace_indices=[0], ty_args=result.ty)
            )
            out = builder.emit_output(relax.Tuple([*operands, written]))
        builder.emit_func_output(out)
    machine = relax.VirtualMachine(tvm.compile(builder.get(), QUICK), tvm.cpu())
    arrays = [np.linspace(0.25, 0.75, math.prod(shape), dtype="float32").reshape(shape) for shape in shapes]
    *left, _ = machine["main"](*map(tvm.runtime.tensor, arrays))
    return [(out.numpy(), array * 2) for out, array in zip(left, arrays, strict=True)]


def named(path):
    return functools.reduce(getattr, path.split("."), relax.op)


ONE_OPERAND = {name: named(name) for name in sharing.COMPUTING}
TWO_OPERANDS = {name: named(name) for name in sharing.ARITHMETIC}
POOLS = {
    "max_pool2d": lambda x: relax.op.nn.max_pool2d(x, (1, 1)),
    "avg_pool2d": lambda x: relax.op.nn.avg_pool2d(x, (1, 1)),
    "softmax": lambda x: relax.op.nn.softmax(x, 1),
    "conv2d": lambda x: relax.op.nn.conv2d(x, relax.const(np.ones((1, 1, 1, 1), "float32"))),
    "conv2d_transpose": lambda x: relax.op.nn.conv2d_transpose(x, relax.const(np.ones((1, 1, 1, 1), "float32"))),
    "matmul": lambda x: relax.op.matmul(x, relax.const(np.ones((1, 1), "float32"))),
    "add a constant": lambda x: relax.op.add(x, relax.const(2, "float32")),
    "multiply by ones": lambda x: relax.op.multiply(x, relax.const(np.ones((1, 1, 4, 1), "float32"))),
}


@pytest.mark.parametrize(
    ("op", "shapes"),
    [(op, [(1, 4)]) for op in ONE_OPERAND.values()]
    + [(op, [(1, 4), (1, 4)]) for op in TWO_OPERANDS.values()]
    + [(op, [(1, 1, 4, 1)]) for op in POOLS.values()],
    ids=[*ONE_OPERAND, *TWO_OPERANDS, *POOLS],
)
def test_an_op_that_is_taken_to_compute_is_never_made_a_view(op, shapes):
    for left, expected in overwrite_result(op, *shapes):
        np.testing.assert_array_equal(left, expected)


@pytest.mark.parametrize(
    "op",
    [lambda x: relax.op.add(x, relax.const(0, "float32")), lambda x: relax.op.reshape(x, (4, 1))],
    ids=["add 0", "reshape"],
)
def test_tvm_makes_views_of_plain_copies(op):
    [(left, expected)] = overwrite_result(op, (1, 4))
    np.testing.assert_array_equal(left, -expected)


# --- wrong variants of the pass: each is killed by the row that it names --------------------------------


def without(kind):
    """Return an analysis that does not look into values of a kind."""

    def patch(monkeypatch):
        real = effects.FunctionEffects._data
        monkeypatch.setattr(
            effects.FunctionEffects,
            "_data",
            lambda self, value: self._new() if isinstance(value, kind) else real(self, value),
        )

    return patch


def unbound(kind):
    """Return an analysis that does not look into bindings of a kind."""

    def patch(monkeypatch):
        real = effects.FunctionEffects._bind
        monkeypatch.setattr(
            effects.FunctionEffects,
            "_bind",
            lambda self, var, value, owner: (
                self._node(var) if isinstance(value, kind) else real(self, var, value, owner)
            ),
        )

    return patch


def method(name, function, owner=effects.FunctionEffects):
    return lambda monkeypatch: monkeypatch.setattr(owner, name, function)


def _distinct_parameters(monkeypatch):
    real = effects.FunctionEffects.close

    def close(self):
        self._parameters = []
        return real(self)

    monkeypatch.setattr(effects.FunctionEffects, "close", close)


def _walk_branches_alone(monkeypatch):
    real = effects.FunctionEffects._bind

    def bind(self, var, value, owner):
        if isinstance(value, relax.If):
            self._node(var)
            self._sequence(value.true_branch, owner)
            self._sequence(value.false_branch, owner)
        else:
            real(self, var, value, owner)

    monkeypatch.setattr(effects.FunctionEffects, "_bind", bind)


def _summaries_that_join_nothing(monkeypatch):
    real = effects.FunctionEffects.summarize

    def summarize(self):
        found = real(self)
        places = frozenset(i for i, number in enumerate(found.sets) if number in found.written)
        return effects.Summary(tuple(range(len(found.sets))), places)

    monkeypatch.setattr(effects.FunctionEffects, "summarize", summarize)


def _forget_the_world(monkeypatch):
    def call(self, node, call, writer):
        self._write(self._join(node, *map(self._data, call.args)), writer)  # WORLD is not among them

    monkeypatch.setattr(effects.FunctionEffects, "_call_world", call)


def _take_every_op_for_one_that_computes(monkeypatch):
    monkeypatch.setattr(effects, "computes", lambda *_: True)
    monkeypatch.setattr(effects.Effects, "copies", lambda *_: False)


def _ignore_steps(monkeypatch):
    def find(bindings, path, user, **more):
        return crossing.find_writer(bindings, Path(pad=path.pad, steps=()), user, **more)

    monkeypatch.setattr(rewrite, "find_writer", find)


def _ignore_the_pad_itself(monkeypatch):
    real = crossing._writer_of
    monkeypatch.setattr(
        crossing,
        "_writer_of",
        lambda bindings, expr, since: "" if bindings.pad(expr) is not None else real(bindings, expr, since),
    )


def _cross_what_writes_between_a_pad_and_a_crop(monkeypatch):
    for name in ("find_writer", "find_copy_writer"):
        monkeypatch.setattr(simplification, name, lambda *_, **__: "")


VARIANTS = {
    "ops between the data and a step that joins": (
        method("_with_region", lambda bindings, var, index: (var,), crossing),
        "a callee writes into an op between the data and a step that joins",
    ),
    "when a split reads": (
        method("_time_of_read", lambda bindings, pad: bindings.effects.time_of(pad), crossing),
        "a callee writes between a split of a pad and its element",
    ),
    "pads alike": (
        method("find_writer", lambda *_, **__: "", joined_pads),
        "a callee writes between pads alike and the op that joins them",
    ),
    "constants that are computed": (
        method("_find_writer_of_constants", lambda *_: "", crossing),
        "a callee writes into what a concat adds",
    ),
    "mirrored pads": (
        method("find_writer", lambda *_, **__: "", rewrite),
        "a callee writes between a mirrored pad and its max_pool",
    ),
    "callees": (method("_call_global", lambda *_: None), "a callee writes into its parameter"),
    "results of callees": (
        _summaries_that_join_nothing,
        "a callee returns its parameter, and the caller writes into the result",
    ),
    "results of callees in tuples": (_summaries_that_join_nothing, "a callee returns its parameter in a tuple"),
    "changed summaries": (
        method("__eq__", lambda *_: True, effects.Summary),
        "two functions call each other, and one changes places and writes",
    ),
    "tuples": (without(relax.Tuple), "a callee writes into an element of a tuple"),
    "elements of tuples": (without(relax.TupleGetItem), "an element of a tuple is passed to a callee that writes"),
    "branches": (unbound(relax.If), "a branch calls a function that writes"),
    "branches of callees": (unbound(relax.If), "a callee writes in a branch"),
    "results of branches": (
        _walk_branches_alone,
        "a branch returns the input of the pad, which is then written",
    ),
    "equal parameters": (_distinct_parameters, "a caller passes a tensor twice"),
    "aliases": (unbound(relax.Var), "another name of the input is written"),
    "match_cast": (unbound(relax.Var), "a match_cast of the input is written"),
    "local functions": (unbound(relax.Function), "a local function writes into what it captures"),
    "closures that live on": (
        method("escapes", False),
        "a closure that a callee returns reads the pad later",
    ),
    "stores into inputs": (
        method("list_stored", lambda *_: [], effects.Effects),
        "a kernel stores into its input",
    ),
    "packed functions": (method("_call_world", lambda *_: None), "a packed function that is not pure writes"),
    "packed functions in place": (method("_call_in_place", lambda *_: None), "a packed function writes in place"),
    "what is known outside": (
        _forget_the_world,
        "a pure packed function keeps its argument, and another one writes into it",
    ),
    "views": (_take_every_op_for_one_that_computes, "a reshape of the input is written"),
    "views of kernels": (
        _take_every_op_for_one_that_computes,
        "a copy by a kernel, which TVM makes a view, is written",
    ),
    "views of pads": (
        method("_join_copies", lambda *_: None),
        "a pad of no width, which TVM makes a view, is written",
    ),
    "copies that are returned": (
        method("is_visible", lambda *_: False),
        "a callee returns a tensor with its copy, and the caller writes into one",
    ),
    "constants": (
        method("_find_writer_of_constants", lambda *_: "", crossing),
        "a callee writes into a constant that a step reads",
    ),
    "bounds": (
        method("_find_producers", lambda *_: [], crossing),
        "a callee writes below the bound of what is padded",
    ),
    "steps": (_ignore_steps, "a callee writes into a step"),
    "the pad": (_ignore_the_pad_itself, "a callee writes into the pad"),
    "pairs of pads": (
        method("find_writer", lambda *_, **__: "", simplification),
        "a callee writes between two pads",
    ),
    "crops of what a pad adds": (
        method("find_copy_writer", lambda *_: "", simplification),
        "a slice removes what a pad adds, and a callee writes into the slice",
    ),
    "pads and crops": (
        _cross_what_writes_between_a_pad_and_a_crop,
        "a callee writes into what a pad adds to, before a crop removes that",
    ),
}


@pytest.mark.parametrize("ignored", mostly_slow(VARIANTS))
def test_a_pass_that_ignores_one_way_of_an_effect_is_killed_by_a_row(ignored, monkeypatch):
    apply, name = VARIANTS[ignored]
    module = parse(ROWS[name][1])
    apply(monkeypatch)
    folded = FoldExplicitPadding()(module)
    monkeypatch.undo()
    assert run(folded) != run_unfolded(name)
