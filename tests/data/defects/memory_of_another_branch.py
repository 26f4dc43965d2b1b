"""TVM 0.27: a temporary of one branch gets memory that only the other branch allocates, and the process dies.

StaticPlanBlockMemory keeps one pool for all blocks of a function. What a branch allocates and releases is reused in the
other branch, or behind the branches, where it was never allocated. Upstream: apache/tvm #20191, and #17348 (closed).
The script dies by SIGSEGV as long as the defect is there; with the argument "without" the pass is left out.
"""

import sys

import numpy as np
import tvm
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R


@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):
        if c:
            a = R.abs(x)
            y = R.add(a, x)
        else:
            b = R.negative(x)
            y = R.multiply(b, x)
        return y


left_out = ["StaticPlanBlockMemory"] if "without" in sys.argv else []
with tvm.transform.PassContext(opt_level=3, disabled_pass=left_out):
    main = relax.VirtualMachine(tvm.compile(Module, target="llvm"), tvm.cpu())["main"]
x = np.array([1, -2, 3, -4], "float32")
for c, want in ((True, abs(x) + x), (False, -x * x)):
    got = main(tvm.runtime.tensor(x), tvm.runtime.tensor(np.array(c))).numpy()
    print("condition", c, "got", got, "expected", want, flush=True)
    if not np.array_equal(got, want):
        sys.exit(1)
