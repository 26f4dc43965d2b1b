"""Modules to fold, and the assertions on every fold."""

from functools import partial

import numpy as np
import tvm
import tvm_ffi
from tvm import relax

from foldproof.fold import FoldExplicitPadding, Refused
from foldproof.ir.relax.targets import parse_target

QUICK = parse_target().tvm_target
"""LLVM at opt-level 0, which compiles in about half the time. Both functions of a comparison are compiled for it."""


def fold(module, **options):
    """Return the folded module. It must be well formed and fold no further, and ``module`` must be unchanged."""
    relax.analysis.well_formed(module)
    before, pass_ = tvm_ffi.structural_hash(module), FoldExplicitPadding(**options)
    out = pass_(module)
    relax.analysis.well_formed(out)
    assert tvm_ffi.structural_hash(module) == before
    assert pass_(out).same_as(out)
    return out


def assert_folds(before, expected, **options):
    tvm.ir.assert_structural_equal(fold(before, **options), expected)


def refusals(module, **options):
    reports = FoldExplicitPadding(**options).explain(module)
    return [(r.consumer, r.outcome.kind) for r in reports if isinstance(r.outcome, Refused)]


def assert_kept(module, **options):
    assert fold(module, **options).same_as(module)


def assert_stays(module, *kinds, **options):
    assert fold(module, **options).same_as(module)
    assert [kind for _, kind in refusals(module, **options)] == list(kinds)


def assert_same_results(module, *arrays, **options):
    """Assert that both functions, compiled by TVM's default pipeline, return the same bits."""
    results = []
    for each in (module, fold(module, **options)):
        machine = relax.VirtualMachine(tvm.compile(each, QUICK), tvm.cpu())
        results.append(machine["main"](*map(tvm.runtime.tensor, arrays)).numpy())
    assert results[0].dtype == results[1].dtype
    np.testing.assert_array_equal(results[0].view(np.uint8), results[1].view(np.uint8))
    assert len(np.unique(results[0])) > 1


# --- what a fold is looked at by ------------------------------------------------------------------------


def outcomes(module):
    return [(r.pad, r.consumer, r.result, r.outcome) for r in FoldExplicitPadding().explain(module)]


def report_lines(module, **options):
    return [short_line(report) for report in FoldExplicitPadding(**options).explain(module)]


def short_line(report):
    """The line of a report without what describes the pad, which stands in the module."""
    return str(report).replace(f" [{report.described_pad}]", "", 1)


def bindings_of(module):
    return [binding for block in module["main"].body.blocks for binding in block.bindings]


def op_names(module):
    return [binding.value.op.name.removeprefix("relax.") for binding in bindings_of(module)]


# --- modules ------------------------------------------------------------------------------------------


def chain(*ops, pad=(0, 0, 0, 0, 1, 2), value=0.0, dtype="float32", shape=(1, 3, 8), weight=(4, 3, 3), first=()):
    """Return main(x, w): conv1d of ``ops`` of a pad of ``first`` of x."""
    builder = relax.BlockBuilder()
    x, w = relax.Var("x", relax.TensorType(shape, dtype)), relax.Var("w", relax.TensorType(weight, "float32"))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            y = x
            for op in first:
                y = builder.emit(op(y))
            y = y if pad is None else builder.emit(relax.op.nn.pad(y, pad, pad_value=value))
            for op in ops:
                y = builder.emit(op(y))
            padding = (1, 2) if pad is None else 0
            result = builder.emit_output(relax.op.nn.conv1d(y, w, padding=padding))
        builder.emit_func_output(result)
    return builder.get()


def constant(*numbers, dtype="float32", shape=None):
    return relax.const(np.array(numbers, dtype).reshape(() if shape is None else shape), dtype)


def emitted(params, *ops):
    """Return main(params): each op is applied to the result before it, the first one to the first parameter."""
    builder = relax.BlockBuilder()
    variables = [relax.Var(f"x{i}", relax.TensorType(*param)) for i, param in enumerate(params)]
    with builder.function("main", variables):
        with builder.dataflow():
            last = variables[0]
            for op in ops[:-1]:
                last = builder.emit(op(last))
            result = builder.emit_output(ops[-1](last))
        builder.emit_func_output(result)
    return builder.get()


def pad_last_axis(*sides, value=0.0, mode="constant"):
    """Of the last axis of three."""
    return partial(relax.op.nn.pad, pad_width=(0, 0, 0, 0, *sides), pad_mode=mode, pad_value=value)


def outcome_of(*ops, value, shape=(2, 3, 8), widths=(0, 0, 0, 0, 1, 2), dtype="float32", first=()):
    """What becomes of a pad with a value between ``first`` and ``ops``, the last of which consumes it."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(shape, dtype))
    with builder.function("main", [x]):
        y = x
        for op in first:
            y = builder.emit(op(y))
        y = builder.emit(relax.op.nn.pad(y, widths, pad_value=value))
        for op in ops:
            y = builder.emit(op(y))
        builder.emit_func_output(y)
    [report] = FoldExplicitPadding().explain(builder.get())
    return report.outcome
