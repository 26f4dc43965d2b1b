"""The time that the pass takes on generated graphs of growing size, one kind of site at a time.

    python benchmarks/fold_time.py [--sizes 100,1000,10000] [--repeats 5] [--profile KIND]

A node is a binding. Graphs are chains that repeat one pattern, built without type inference. Times are CPU time of
this process, medians of repeats. Growth is the exponent from the size before: 1 is linear, 2 is quadratic.
"""

import cProfile
import gc
import math
import pstats
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import click
import numpy as np
import tvm
from rich.console import Console
from rich.table import Table
from tvm import ir, relax, te, topi
from tvm.relax.expr import _update_type

from foldproof.fold import Folded, FoldExplicitPadding

Step = Callable[[relax.Expr], ir.Call]
"""A function from the result of the previous node to a node. ``_step`` fills in its type."""

CHANNELS, SIZE = 4, 8

# --- graphs -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A pattern of nodes that repeats; ``sites`` of them are pads that could be folded."""

    name: str
    about: str
    dtype: str = "float32"
    pattern: Callable[[relax.BlockBuilder], Iterable[Step]]
    sites: int = 1


def build(kind: Kind, nodes: int) -> tvm.IRModule:
    """Return a module whose function ``main`` has ``nodes`` nodes, rounded up to whole patterns."""
    builder = relax.BlockBuilder()
    pattern = list(kind.pattern(builder))
    x = relax.Var("x", _tensor(SIZE, kind.dtype))
    last: relax.Expr = x
    bindings = []
    for i in range(len(pattern) * math.ceil(nodes / len(pattern))):
        call = pattern[i % len(pattern)](last)
        last = relax.DataflowVar(f"lv{i}", call.ty)
        bindings.append(relax.VarBinding(last, call))
    result = relax.Var("result", last.ty)
    bindings.append(relax.VarBinding(result, last))
    body = relax.SeqExpr([relax.DataflowBlock(bindings)], result)
    _update_type(body, result.ty)
    module = builder.get()
    attrs = ir.make_node("ir.DictAttrs", global_symbol="main")
    module[ir.GlobalVar("main")] = relax.Function([x], body, result.ty, True, attrs)
    return module


def _tensor(size: int, dtype: str) -> relax.TensorType:
    return relax.TensorType((1, CHANNELS, size, size), dtype)


def _step(make: Callable[[relax.Expr], ir.Call], size: int, dtype: str) -> Step:
    """Return a node of a known type. Operator and attributes are made once: each takes as long as the pass does."""
    sample, ty = make(relax.Var("sample", _tensor(SIZE, dtype))), _tensor(size, dtype)

    def step(operand: relax.Expr) -> ir.Call:
        return ir.Call(sample.op, [operand, *sample.args[1:]], sample.attrs, sample.ty_args, None, ty)

    return step


def _pad(dtype: str = "float32", *, mode: str = "constant", value: float = 0.0) -> Step:
    return _step(lambda x: relax.op.nn.pad(x, [0, 0, 0, 0, 1, 1, 1, 1], mode, value), SIZE + 2, dtype)


def _conv(dtype: str = "float32", out_dtype: str = "float32") -> Step:
    return _step(lambda x: relax.op.nn.conv2d(x, _weight(dtype), out_dtype=out_dtype), SIZE, out_dtype)


def _weight(dtype: str) -> ir.GenericConst:
    return relax.const(np.ones((CHANNELS, CHANNELS, 3, 3)), dtype)


def _relu(size: int = SIZE) -> Step:
    return _step(relax.op.nn.relu, size, "float32")


def _scaled(size: int = SIZE) -> Step:
    return _step(lambda x: relax.op.multiply(x, relax.const(0.5)), size, "float32")


def _cast(dtype: str) -> Step:
    return _step(lambda x: relax.op.astype(x, dtype), SIZE, dtype)


def _own_weight(dtype: str, out_dtype: str) -> Step:
    """Return a convolution with a weight of its own, so that no correction can be shared."""
    shared = _conv(dtype, out_dtype)

    def step(operand: relax.Expr) -> ir.Call:
        call = shared(operand)
        return ir.Call(call.op, [operand, _weight(dtype)], call.attrs, call.ty_args, None, call.ty)

    return step


def _kernel_pad(builder: relax.BlockBuilder) -> Step:
    """Return a pad as the ONNX frontend makes it: a call of a PrimFunc, here one for all sites."""
    shape, widths = (1, CHANNELS, SIZE, SIZE), [0, 0, 1, 1]
    data = te.placeholder(shape, "float32", "x")
    kernel = te.create_prim_func([data, topi.nn.pad(data, widths, widths, 0.0)])
    var, ty = builder.add_func(kernel.without_attr("global_symbol"), "pad"), _tensor(SIZE + 2, "float32")
    sample = relax.call_tir(var, [relax.Var("sample", _tensor(SIZE, "float32"))], ty)
    return lambda x: ir.Call(sample.op, [var, relax.Tuple([x])], sample.attrs, sample.ty_args, None, ty)


KINDS = (
    Kind(
        name="direct",
        about="pad -> conv2d -> relu",
        pattern=lambda _: (_pad(), _conv(), _relu()),
    ),
    Kind(
        name="call_tir",
        about="call_tir(pad) -> conv2d -> relu",
        pattern=lambda builder: (_kernel_pad(builder), _conv(), _relu()),
    ),
    Kind(
        name="chain",
        about="pad -> relu -> multiply -> conv2d",
        pattern=lambda _: (_pad(), _relu(SIZE + 2), _scaled(SIZE + 2), _conv()),
    ),
    Kind(
        name="correction",
        about="pad(3) -> conv2d int8, own weight -> astype",
        dtype="int8",
        pattern=lambda _: (_pad("int8", value=3.0), _own_weight("int8", "int32"), _cast("int8")),
    ),
    Kind(
        name="refused",
        about="pad(reflect) -> conv2d -> relu",
        pattern=lambda _: (_pad(mode="reflect"), _conv(), _relu()),
    ),
    Kind(
        name="no pads",
        about="relu -> multiply -> relu",
        pattern=lambda _: (_relu(), _scaled(), _relu()),
        sites=0,
    ),
)

# --- time ---------------------------------------------------------------------------------------------

Action = Callable[[tvm.IRModule], object]


def options() -> dict[str, Any]:
    """Return the options of the pass that this benchmark measures, as far as the pass has them."""
    wanted: dict[str, Any] = {"check_input": False, "nonzero": "correct"}
    return {name: value for name, value in wanted.items() if _accepts(name, value)}


def _accepts(name: str, value: Any) -> bool:
    try:
        FoldExplicitPadding(**{name: value})
    except TypeError:  # an unexpected keyword
        return False
    return True


def cpu_seconds(action: Callable[[], object], repeats: int) -> float:
    """Return the median of some runs, without the time of the garbage collector."""
    times = []
    for _ in range(repeats):
        gc.collect()
        gc.disable()
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
        gc.enable()
    return statistics.median(times)


def walk(module: tvm.IRModule) -> int:
    """Visit every binding, its operator and its operands: the least that a pass in Python does."""
    seen = 0
    for block in module["main"].body.blocks:
        for binding in block.bindings:
            value = binding.value
            if isinstance(value, ir.Call) and isinstance(value.op, ir.Op) and value.op.name:
                seen += sum(isinstance(arg, relax.Var) for arg in value.args)
    return seen


def visit(module: tvm.IRModule) -> None:
    """Visit the function with TVM's own visitor and an empty Python function."""
    relax.analysis.post_order_visit(module["main"], lambda _: None)


def fold(**more: Any) -> Action:
    """Return the pass with ``options()``, and ``more``."""
    bundled: Any = FoldExplicitPadding(**{**options(), **more})
    return bundled  # type: ignore[no-any-return]


# --- output -------------------------------------------------------------------------------------------


def measure(
    table: Table, kind: Kind, what: str, action: Action, modules: dict[int, tvm.IRModule], repeats: int
) -> None:
    """Add a row per size: nodes, sites, seconds, microseconds per node, and the growth from the size before."""
    before: tuple[int, float] | None = None
    for size, module in modules.items():
        seconds = cpu_seconds(lambda module=module: action(module), repeats)  # type: ignore[misc]
        nodes = len(module["main"].body.blocks[0].bindings) - 1
        growth = math.log(seconds / before[1], nodes / before[0]) if before else None
        shown = f"{growth:.2f}" if growth is not None else ""
        cells = (f"{nodes:,}", f"{seconds:.4f}", f"{seconds / nodes * 1e6:.1f}", shown)
        table.add_row(kind.name, what, _folded(kind, module, what), *cells, end_section=size == max(modules))
        before = (nodes, seconds)


def _folded(kind: Kind, module: tvm.IRModule, what: str) -> str:
    """Return how many of the sites the pass folds."""
    if what != "fold":
        return ""
    reports = FoldExplicitPadding(**options()).explain(module)
    nodes = len(module["main"].body.blocks[0].bindings) - 1
    return f"{sum(isinstance(report.outcome, Folded) for report in reports):,} / {_sites(kind, nodes):,}"


def _sites(kind: Kind, nodes: int) -> int:
    return kind.sites * nodes // len(list(kind.pattern(relax.BlockBuilder())))


def report(sizes: list[int], repeats: int, console: Console) -> None:
    """Print the table."""
    shown = ", ".join(f"{name}={value!r}" for name, value in options().items())
    table = Table(title=f"FoldExplicitPadding({shown}), CPU time, median of {repeats}", title_justify="left")
    for heading, justify in (("graph", "left"), ("what", "left"), ("folded", "right"), ("nodes", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for heading in ("seconds", "us/node", "growth"):
        table.add_column(heading, justify="right")
    for kind in KINDS:
        modules = {size: build(kind, size) for size in sizes}
        actions: dict[str, Action] = {"fold": fold()}
        if not kind.sites:
            actions |= {"a loop over bindings": walk, "post_order_visit": visit}
        if "check_input" in options() and kind.name in ("direct", "no pads"):
            actions["fold, input checked"] = fold(check_input=True)
        for what, action in actions.items():
            measure(table, kind, what, action, modules, repeats)
    console.print(table)
    for kind in KINDS:
        console.print(f"[bold]{kind.name}[/]: {kind.about}")


def profile(kind: Kind, nodes: int) -> None:
    """Print the profile of one run."""
    module, action = build(kind, nodes), fold()
    profiler = cProfile.Profile()
    profiler.runcall(action, module)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


@click.command()
@click.option("--sizes", default="100,1000,10000", show_default=True, help="Nodes per graph, comma-separated.")
@click.option("--repeats", default=5, show_default=True, help="Runs per graph, of which the median is shown.")
@click.option("--profile", "profiled", type=click.Choice([kind.name for kind in KINDS]), help="Profile this one only.")
def main(sizes: str, repeats: int, profiled: str | None) -> None:
    """Time FoldExplicitPadding on generated graphs."""
    counts = sorted(int(size) for size in sizes.split(","))
    if profiled:
        profile(next(kind for kind in KINDS if kind.name == profiled), counts[-1])
    else:
        report(counts, repeats, Console())


if __name__ == "__main__":
    main()
