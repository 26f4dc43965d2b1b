"""foldproof.fold among the other passes of a pipeline: before or after them, results stay right and pads go.

Expectations are for graphs, not for pipelines: whatever passes run, the same pads fold into the same padding.
"""

# ruff: noqa: RET504 - this is TVMScript: a binding is named.

from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import tvm
from tvm import ir, relax, s_tir, tirx, topi
from tvm.relax import transform
from tvm.relax.expr_functor import PyExprMutator, mutator
from tvm.script import ir as I
from tvm.script import relax as R

from foldproof.fold import FoldExplicitPadding
from foldproof.ir.relax.targets import parse_target

INF = float("inf")
LOWEST = -3.4028234663852886e38

# --- graphs -------------------------------------------------------------------------------------------

ALIGNED = np.random.default_rng(0).integers(-127, 128, (7, 7, 3, 8)).astype("int8")
"""The weight of the stem, before its input channels are padded to 4."""


@I.ir_module
class Graphs:
    # The quantized ResNet of FACTS 1, scaled down; weights aligned to 4 channels like the data.
    @R.function
    def stem(x: R.Tensor((2, 14, 14, 3), "float32"), bias: R.Tensor((8,), "int32")):
        with R.dataflow():
            padded = R.nn.pad(x, (0, 0, 3, 3, 3, 3, 0, 0))
            scaled = R.multiply(padded, R.const(128.0, "float32"))
            rounded = R.round(scaled)
            clipped = R.clip(rounded, -127.0, 127.0)
            quantized = R.astype(clipped, "int8")
            data = R.nn.pad(quantized, (0, 0, 0, 0, 0, 0, 0, 1))
            weight = R.nn.pad(R.const(ALIGNED, "int8"), (0, 0, 0, 0, 0, 1, 0, 0))
            conv = R.nn.conv2d(
                data, weight, strides=(2, 2), data_layout="NHWC", kernel_layout="HWIO", out_dtype="int32"
            )
            biased = R.add(conv, bias)
            result = R.nn.relu(biased)
            R.output(result)
        return result

    # torchvision's ResNet, padded explicitly.
    @R.function
    def resnet(
        x: R.Tensor((1, 3, 10, 10), "float32"),
        w: R.Tensor((4, 3, 3, 3), "float32"),
        gamma: R.Tensor((4,), "float32"),
        beta: R.Tensor((4,), "float32"),
        mean: R.Tensor((4,), "float32"),
        var: R.Tensor((4,), "float32"),
    ):
        with R.dataflow():
            padded = R.nn.pad(x, (0, 0, 0, 0, 1, 1, 1, 1))
            conv = R.nn.conv2d(padded, w, strides=(2, 2))
            norm = R.nn.batch_norm(conv, gamma, beta, mean, var, axis=1, training=False)
            relu = R.nn.relu(norm[0])
            lowest = R.nn.pad(relu, (0, 0, 0, 0, 0, 1, 0, 1), pad_value=-INF)
            result = R.nn.max_pool2d(lowest, (2, 2), strides=(2, 2))
            R.output(result)
        return result

    # MobileNet from TensorFlow: NHWC, 'SAME' with stride 2 pads after only.
    @R.function
    def depthwise(x: R.Tensor((1, 9, 9, 4), "float32"), w: R.Tensor((3, 3, 1, 4), "float32")):
        with R.dataflow():
            padded = R.nn.pad(x, (0, 0, 0, 1, 0, 1, 0, 0))
            conv = R.nn.conv2d(
                padded, w, strides=(2, 2), padding=(1, 0, 0, 1), groups=4, data_layout="NHWC", kernel_layout="HWIO"
            )
            result = R.nn.relu(conv)
            R.output(result)
        return result

    # BlazeBlock of MediaPipe: the shortcut is padded with channels, which must stay.
    @R.function
    def blaze(x: R.Tensor((1, 3, 8, 8), "float32"), w: R.Tensor((6, 3, 3, 3), "float32")):
        with R.dataflow():
            padded = R.nn.pad(x, (0, 0, 0, 0, 0, 1, 0, 1))
            conv = R.nn.conv2d(padded, w, strides=(2, 2))
            pool = R.nn.max_pool2d(x, (2, 2), strides=(2, 2))
            shortcut = R.nn.pad(pool, (0, 0, 0, 3, 0, 0, 0, 0))
            result = R.add(conv, shortcut)
            R.output(result)
        return result

    # One pad, two readers: the convolution folds it, the concatenation keeps it.
    @R.function
    def concat(x: R.Tensor((1, 3, 8, 8), "float32"), w: R.Tensor((4, 3, 3, 3), "float32")):
        with R.dataflow():
            padded = R.nn.pad(x, (0, 0, 0, 0, 1, 1, 1, 1))
            conv = R.nn.conv2d(padded, w, padding=(1, 1))
            result = R.concat((padded, conv), axis=1)
            R.output(result)
        return result

    # A private function whose second result, the pad, nobody reads.
    @R.function
    def caller(x: R.Tensor((1, 3, 8, 8), "float32"), w: R.Tensor((4, 3, 3, 3), "float32")):
        cls = Graphs
        both = cls.callee(x, w)
        result = both[0]
        return result

    @R.function(private=True)
    def callee(x: R.Tensor((1, 3, 8, 8), "float32"), w: R.Tensor((4, 3, 3, 3), "float32")) -> R.Tuple(
        R.Tensor((1, 4, 10, 10), "float32"), R.Tensor((1, 3, 12, 12), "float32")
    ):
        with R.dataflow():
            padded = R.nn.pad(x, (0, 0, 0, 0, 2, 2, 2, 2))
            conv = R.nn.conv2d(padded, w)
            R.output(padded, conv)
        return (conv, padded)


def onnx(module, value=0.0):
    """The module with a function as the ONNX frontend makes it: its pads are PrimFuncs, one shared by two convs.

    ``value`` is padded before these.
    """
    builder = relax.BlockBuilder(module)
    x, w = (relax.Var(n, relax.TensorType(s, "float32")) for n, s in (("x", (1, 3, 8, 8)), ("w", (3, 3, 3, 3))))
    with builder.function("onnx", [x, w]):
        with builder.dataflow():
            relu = x
            for _ in range(2):
                padded = builder.emit_te(topi.nn.pad, relu, [0, 0, 1, 1], [0, 0, 1, 1], value)
                relu = builder.emit(relax.op.nn.relu(builder.emit(relax.op.nn.conv2d(padded, w))))
            lowest = builder.emit_te(topi.nn.pad, relu, [0, 0, 0, 0], [0, 0, 1, 1], -INF)
            result = builder.emit_output(relax.op.nn.max_pool2d(lowest, (3, 3), strides=(2, 2)))
        builder.emit_func_output(result)
    return builder.get()


@cache
def graphs():
    return onnx(Graphs)


# --- what is left of the pads -------------------------------------------------------------------------


def calls(function):
    found = []
    relax.analysis.post_order_visit(function, lambda e: found.append(e) if isinstance(e, ir.Call) else None)
    return found


def pads(module, name):
    """How many pads a function runs, its callees included: ``nn.pad``, or a block of a kernel that TVM names so."""
    function = module[name]
    if isinstance(function, tirx.PrimFunc):
        return sum(name.startswith("PadInput") for name in blocks(function.body))
    count = 0
    for call in calls(function):
        count += isinstance(call.op, ir.Op) and call.op.name == "relax.nn.pad"
        called = [call.op, *call.args]
        count += sum(pads(module, callee.name_hint) for callee in called if isinstance(callee, ir.GlobalVar))
    return count


def blocks(statement):
    """The names of all blocks in a statement."""
    if isinstance(statement, s_tir.SBlockRealize):
        return [statement.block.name_hint, *blocks(statement.block.body)]
    if isinstance(statement, tirx.SeqStmt):
        return [name for part in statement.seq for name in blocks(part)]
    return blocks(statement.body) if isinstance(statement, tirx.For) else []


def paddings(module, name):
    """The padding of the convolutions and pools that a function runs, its callees included."""
    found = Counter()
    for call in calls(module[name]) if isinstance(module[name], relax.Function) else ():
        if isinstance(call.op, ir.GlobalVar):
            found += paddings(module, call.op.name_hint)
        elif isinstance(call.op, ir.Op) and call.op.name in ("relax.nn.conv2d", "relax.nn.max_pool2d"):
            found[tuple(int(side) for side in call.attrs.padding)] += 1
    return found


def test_pads_are_counted_in_both_forms_and_in_callees():
    counts = {name: pads(graphs(), name) for name in EXPECTED}
    assert counts == {"stem": 3, "resnet": 2, "depthwise": 1, "blaze": 2, "concat": 1, "caller": 1, "onnx": 3}
    assert paddings(graphs(), "depthwise") == Counter([(1, 0, 0, 1)])


EXPECTED = {
    "stem": (2, [(3, 3, 3, 3)]),
    "resnet": (0, [(1, 1, 1, 1), (0, 0, 1, 1)]),
    "depthwise": (0, [(1, 0, 1, 2)]),
    "blaze": (1, [(0, 0, 1, 1), (0, 0, 0, 0)]),
    "concat": (1, [(2, 2, 2, 2)]),
    "caller": (1, [(2, 2, 2, 2)]),
    "onnx": (0, [(1, 1, 1, 1), (1, 1, 1, 1), (0, 0, 1, 1)]),
}
"""Graph -> pads that are left of it, padding of its convolutions and pools, once folded."""

# --- other passes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Other:
    """Passes that run before or after ours: over which graphs, and where they change what is expected.

    ``pads`` are the pads left of a graph where not as in ``EXPECTED``, because these passes take some away. ``rounds``:
    they change results themselves. ``hides``: after them no site is left to fold, so that all pads stay.
    """

    passes: tuple
    graphs: tuple = tuple(EXPECTED)
    pads: tuple = ()
    rounds: bool = False
    hides: bool = False


MIXABLE = tuple(name for name in EXPECTED if name not in ("stem", "onnx"))
CONV = relax.dpl.is_op("relax.nn.conv2d")
DATA, WEIGHT, PADDED = relax.dpl.wildcard(), relax.dpl.wildcard(), relax.dpl.is_op("relax.nn.pad")

OTHERS = {
    # A pad of a constant is one itself afterwards: that of the stem's weight.
    "FoldConstant": Other((transform.FoldConstant(),), pads=(("stem", 1),)),
    # Neither pads nor other ops without an own layout rule are moved: pad -> permute_dims -> conv2d.
    "ConvertLayout NHWC": Other((transform.ConvertLayout({"relax.nn.conv2d": ["NHWC", "OHWI"]}),)),
    "ConvertLayout NCHW": Other((transform.ConvertLayout({"relax.nn.conv2d": ["NCHW", "OIHW"]}),)),
    # pad -> astype("float16") -> conv2d
    "ToMixedPrecision float16": Other((transform.ToMixedPrecision("float16"),), graphs=MIXABLE, rounds=True),
    "ToMixedPrecision float32": Other((transform.ToMixedPrecision("float32"),), graphs=MIXABLE, rounds=True),
    "FuseOps": Other((transform.FuseOps(),)),
    "FuseOpsByPattern": Other((transform.FuseOpsByPattern([("f.pad_conv", CONV(PADDED(DATA), WEIGHT))]),)),
    "FuseTIR": Other(
        (transform.LegalizeOps(), transform.AnnotateTIROpPattern(), transform.FuseOps(), transform.FuseTIR()),
        hides=True,
    ),
    "DecomposeOpsForInference": Other((transform.DecomposeOpsForInference(),), rounds=True),
    # The pad of the private function is not a result any more, and goes with the fold.
    "RemoveUnusedOutputs": Other(
        (transform.RemoveUnusedOutputs(), transform.DeadCodeElimination()), pads=(("caller", 0),)
    ),
    "default pipeline": Other((relax.get_pipeline("default"),), hides=True),
}


@cache
def lowered(other, order):
    """The graphs through the passes of ``other`` and ours, which comes "before", "after", or not at all ("without")."""
    case, fold = OTHERS[other], FoldExplicitPadding()
    passes = {"before": (fold, *case.passes), "after": (*case.passes, fold), "without": case.passes}[order]
    kept = {
        var: function
        for var, function in graphs().functions_items()
        if var.name_hint in case.graphs or var.name_hint not in EXPECTED
    }
    out = tvm.transform.Sequential(passes)(tvm.IRModule(kept))
    relax.analysis.well_formed(out)
    return out


# --- the number of pads that are left -----------------------------------------------------------------


def rows(graph_rows):
    """(graph, other, order) as parameters."""
    return [pytest.param(*row, id="-".join(row)) for row in graph_rows]


def expected_pads(graph, other):
    return dict(OTHERS[other].pads).get(graph, EXPECTED[graph][0])


@pytest.mark.parametrize(
    ("graph", "other", "order"),
    rows(
        (graph, other, order)
        for other, case in OTHERS.items()
        for graph in case.graphs
        for order in ("before", "after")
        if not case.hides and (graph, other, order) != ("stem", "FuseOpsByPattern", "after")
    ),
)
def test_whatever_is_between_the_same_pads_fold_into_the_same_padding(graph, other, order):
    module = lowered(other, order)
    assert pads(module, graph) == expected_pads(graph, other)
    assert paddings(module, graph) == Counter(EXPECTED[graph][1])


def test_a_pad_does_not_fold_into_a_function_that_another_pass_made_of_its_consumer():
    """The stem's nearest pad, that of the channels, and its conv are a composite; the spatial pad stays before it."""
    module = lowered("FuseOpsByPattern", "after")
    assert pads(module, "stem") == expected_pads("stem", "FuseOpsByPattern") + 1


LOWERING = [other for other, case in OTHERS.items() if case.hides]


@pytest.mark.parametrize(
    ("graph", "other", "order"), rows((graph, other, "before") for other in LOWERING for graph in EXPECTED)
)
def test_a_pad_folded_before_lowering_is_not_a_kernel_after_it(graph, other, order):
    assert pads(lowered(other, order), graph) == expected_pads(graph, other)


@pytest.mark.parametrize("other", LOWERING)
def test_after_lowering_there_is_nothing_to_fold(other):
    without = lowered(other, "without")
    assert FoldExplicitPadding()(without).same_as(without)
    assert [pads(without, graph) for graph in EXPECTED] == [pads(graphs(), graph) for graph in EXPECTED]


def test_a_pad_kernel_goes_with_its_last_call():
    folded = FoldExplicitPadding()(graphs())
    assert not [f for _, f in folded.functions_items() if isinstance(f, tirx.PrimFunc)]


# --- results ------------------------------------------------------------------------------------------

FILLS = ("integers", "reals")


def results(module, names, *, pipeline="default"):
    """(graph, fill) -> the output of a function, compiled and run, as bytes."""
    with tvm.transform.PassContext(opt_level=3, config={"tirx.disable_assert": True}):  # as fast again
        executable = tvm.compile(module, parse_target().tvm_target, relax_pipeline=pipeline)
    machine = relax.VirtualMachine(executable, tvm.cpu())
    return {
        (name, fill): machine[name](*map(tvm.runtime.tensor, data(name, fill))).numpy().tobytes()
        for name in names
        for fill in FILLS
    }


def data(name, fill):
    """Inputs of a graph without a zero: small integers, whose sums are exact in float16 too, or reals."""
    random = np.random.default_rng(len(name))
    arrays = []
    for param in graphs()[name].params:
        shape = tuple(int(dim) for dim in param.ty.shape.values)
        integers = random.integers(1, 4, shape) * random.choice((-1, 1), shape)
        values = integers if fill == "integers" else random.uniform(0.1, 2, shape) * integers
        arrays.append((np.abs(values) if param.name == "var" else values).astype(str(param.ty.dtype)))
    return arrays


def compiled(other, order):
    pipeline = tvm.transform.Sequential([]) if other == "default pipeline" else "default"
    return results(lowered(other, order), OTHERS[other].graphs, pipeline=pipeline)


@cache
def unfolded():
    return results(graphs(), tuple(EXPECTED))


@pytest.mark.parametrize("other", OTHERS)
def test_results_are_those_of_the_same_passes_without_the_fold(other):
    expected = compiled(other, "without")
    assert compiled(other, "before") == expected
    assert compiled(other, "after") == expected
    if not OTHERS[other].rounds:  # sums of small integers are exact in any order
        exact = {key: value for key, value in unfolded().items() if key[1] == "integers"}
        assert {key: value for key, value in expected.items() if key[1] == "integers"} == exact


def test_results_depend_on_every_pad():
    """Else the test above would pass with any padding."""

    module = onnx(Graphs, value=100.0)
    for var, function in module.functions_items():
        if isinstance(function, relax.Function):
            module.update_func(var, HundredsPadded().visit_expr(function))
    others = results(module, tuple(EXPECTED))
    assert not [key for key, value in unfolded().items() if others[key] == value]


@mutator
class HundredsPadded(PyExprMutator):
    def visit_call_(self, call):
        if call.op != ir.Op.get("relax.nn.pad"):
            return call
        return relax.op.nn.pad(call.args[0], call.attrs.pad_width, "constant", 100.0)


# --- what TVM's passes do to graphs that have pads ----------------------------------------------------


def test_to_mixed_precision_does_not_take_call_tir():
    with pytest.raises(Exception, match="Expected TensorType"):
        transform.ToMixedPrecision("float16")(onnx(tvm.IRModule()))


def test_to_mixed_precision_turns_an_integer_convolution_into_one_of_floats():
    """So that the stem is left out above. TVM 0.27 does not look at the dtype of what it casts."""

    @I.ir_module
    class Integers:
        @R.function
        def main(x: R.Tensor((1, 3, 8, 8), "int8"), w: R.Tensor((4, 3, 3, 3), "int8")):
            with R.dataflow():
                result = R.nn.conv2d(x, w, out_dtype="int32")
                R.output(result)
            return result

    mixed = transform.ToMixedPrecision("float16")(Integers)
    (conv,) = [call for call in calls(mixed["main"]) if call.op.name == "relax.nn.conv2d"]
    assert conv.attrs.out_dtype == "float16"


def test_fuse_tir_fuses_a_pad_into_what_makes_its_input_and_not_into_the_convolution():
    fused = lowered("FuseTIR", "without")
    kernels = [blocks(f.body) for _, f in fused.functions_items() if isinstance(f, tirx.PrimFunc)]
    convs = [names for names in kernels if any(name.startswith("conv2d") for name in names)]
    assert convs
    for names in convs:
        conv = next(i for i, name in enumerate(names) if name.startswith("conv2d"))
        assert not any(name.startswith("PadInput") for name in names[:conv])
