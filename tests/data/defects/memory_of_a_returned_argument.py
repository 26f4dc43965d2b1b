"""TVM 0.27: a packed function returns its argument, whose memory is then given to another tensor: wrong values.

StaticPlanBlockMemory assumes that a packed function does not retain its arguments, and takes the last use of ``a`` to
be the call. TVM's own ``vm.builtin.copy`` returns its argument. Upstream: the assumption is from apache/tvm #14419.
The script exits with 1 as long as the defect is there; with the argument "without" the pass is left out.
"""

import sys

import numpy as np
import tvm
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R


@I.ir_module
class Module:
    @R.function(pure=False)
    def main(x: R.Tensor((4,), "float32")):
        a = R.abs(x)
        b = R.call_packed("vm.builtin.copy", a, ty_args=R.Tensor((4,), "float32"))
        c = R.negative(x)
        return R.add(b, c)


left_out = ["StaticPlanBlockMemory"] if "without" in sys.argv else []
with tvm.transform.PassContext(opt_level=3, disabled_pass=left_out):
    main = relax.VirtualMachine(tvm.compile(Module, target="llvm"), tvm.cpu())["main"]
x = np.array([1, -2, 3, -4], "float32")
got, want = main(tvm.runtime.tensor(x)).numpy(), abs(x) - x
print("got", got, "expected", want)
sys.exit(not np.array_equal(got, want))
