"""TVM 0.27: a reshape becomes a view of a tensor that is overwritten before the view is read: wrong values.

``a`` is not read after it is overwritten, as call_tir_inplace requires, and ``b`` is a tensor of its own. But
RewriteDataflowReshape makes ``b`` a view of ``a``: of a reshape, and of any kernel that copies, such as a pad without
width. Upstream: not found; apache/tvm #19644 repairs the same mistake in DataflowUseInplaceCalls.
The script exits with 1 as long as the defect is there; with the argument "without" the pass is left out.
"""

import sys

import numpy as np
import tvm
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T


@I.ir_module
class Module:
    @T.prim_func(private=True, s_tir=True)
    def negate(a: T.Buffer((T.int64(4),), "float32")):
        for i in range(T.int64(4)):
            with T.sblock("negate"):
                v = T.axis.spatial(T.int64(4), i)
                a[v] = a[v] * T.float32(-1)

    @R.function
    def main(x: R.Tensor((4,), "float32")):
        cls = Module
        with R.dataflow():
            a = R.add(x, x)
            b = R.reshape(a, (2, 2))
            c = R.call_tir_inplace(cls.negate, (a,), inplace_indices=[0], out_ty=R.Tensor((4,), "float32"))
            d = R.reshape(b, (4,))
            e = R.subtract(d, c)
            R.output(e)
        return e


left_out = ["RewriteDataflowReshape"] if "without" in sys.argv else []
with tvm.transform.PassContext(opt_level=3, disabled_pass=left_out):
    main = relax.VirtualMachine(tvm.compile(Module, target="llvm"), tvm.cpu())["main"]
x = np.array([1, -2, 3, -4], "float32")
got, want = main(tvm.runtime.tensor(x)).numpy(), 4 * x
print("got", got, "expected", want)
sys.exit(not np.array_equal(got, want))
