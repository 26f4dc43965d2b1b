"""Three common methods of testing, to compare with: their cases, their inputs, their tolerance.

    cases --each pass--> distinct modules --one batch--> run on one input, compare within a tolerance

Written from their descriptions. An output that differs by more than the tolerance kills, and so does an exception of
the pass or of TVM. A baseline does not look for missed folds, wrong types or ill-formed modules. As for the harness,
the fast pipeline compiles, with TVM's kernels.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np

from foldproof.case import MODES, Axis, Case, Pad, Step, dtypes, ops
from foldproof.checking.failures import Failure, failure
from foldproof.ir.relax.semantics import SEMANTICS
from foldproof.ir.relax.targets import Program, Target, compile_batch
from foldproof.mutants.distinct_modules import DistinctModule, Passes, apply_all
from foldproof.mutants.kill_matrix import RIGHT, Kills
from foldproof.oracle.fills import inputs, parameters

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A method of testing. ``cases`` draws up to a number of cases; float inputs are uniform in ``low`` to ``high``."""

    name: str
    text: str
    cases: Callable[[Random, int], Iterator[Case]]
    low: float
    high: float
    rtol: float
    atol: float = 0.0

    def draw(self, budget: int, seed: int) -> list[Case]:
        """Draw up to ``budget`` cases of a seed, in order."""
        return list(self.cases(Random(seed), budget))  # noqa: S311, no secret


# --- cases --------------------------------------------------------------------------------------------

LOWEST = -math.inf


def _relay_matrix(random: Random, budget: int) -> Iterator[Case]:
    """Return 3 own paddings x 3 pads, equal on all axes, for 1 to 3 axes, channels first and last, default strides."""
    made = 0
    for own, pad in [(own, pad) for own in ((0, 0), (2, 0), (0, 2)) for pad in ((0, 0), (1, 1), (1, 0))]:
        for spec in ops.OPS:
            for layout in () if spec.transposed else (spec.data_layout, f"N{spec.spatial}C"):
                axis = Axis(size=5, pad=pad, kernel=3, padding=own)
                value = LOWEST if spec.family == "max_pool" else 0.0
                weighted = {"filters": 2} if spec.weighted else {}
                case = Case(
                    op=spec.name,
                    axes=(axis,) * spec.rank,
                    channels=2,
                    pad=Pad(value=value),
                    data_layout="" if layout == spec.data_layout else layout,
                    **weighted,  # type: ignore[arg-type]
                )
                if made < budget:
                    yield case
                made += 1


def _nnsmith(random: Random, budget: int) -> Iterator[Case]:
    """Draw a constant pad of 0.5 before a conv2d, float32, NCHW, with a scalar stride and a scalar padding."""
    for _ in range(budget):
        kernels = [random.randint(1, 4) for _ in range(2)]
        stride, padding, dilation = random.randint(1, 3), random.randint(0, 2), random.randint(1, 2)
        axes = []
        for kernel in kernels:
            pad = (random.randint(0, 3), random.randint(0, 3))
            least = max(1, (kernel - 1) * dilation + 1 - sum(pad) - 2 * padding)
            size = random.randint(least, least + 6)
            axes.append(
                Axis(size=size, pad=pad, kernel=kernel, stride=stride, dilation=dilation, padding=(padding, padding))
            )
        channels, filters = random.randint(1, 4), random.randint(1, 4)
        yield Case(
            op="conv2d", axes=tuple(axes), batch=random.randint(1, 2), channels=channels, filters=filters,
            pad=Pad(value=0.5), constant_weight=random.random() < 0.5,
        )  # fmt: skip


def _uniform(random: Random, budget: int) -> Iterator[Case]:
    """Draw every field uniformly and independently. Draw again what is not a valid case."""
    made = 0
    while made < budget:
        try:
            case = _any_case(random)
        except ValueError:
            continue
        made += 1
        yield case


_STEPS = ("relu", "negative", "abs", "clip", "add", "subtract", "multiply", "maximum", "dequantize", "quantize")


def _any_case(random: Random) -> Case:
    """Draw the fields. Raises ValueError if they do not fit together."""
    spec, choice = random.choice(ops.OPS), random.choice
    groups = choice((1, 2)) if spec.weighted else 1
    fields: dict[str, Any] = {"filters": groups * choice((1, 2)), "groups": groups} if spec.weighted else {}
    if spec.pools:
        fields["ceil_mode"] = choice((False, True))
    if spec.family == "avg_pool":
        fields["count_include_pad"] = choice((False, True))
    return Case(
        op=spec.name,
        axes=tuple(_any_axis(random, transposed=spec.transposed) for _ in range(spec.rank)),
        dtype=choice(dtypes.DTYPES),
        pad=Pad(value=float(random.randint(-3, 3)), mode=choice(MODES), form=choice(("op", "call_tir"))),
        steps=tuple(_any_step(random) for _ in range(choice((0, 0, 1, 2)))),
        batch=choice((1, 2)),
        channels=groups * choice((1, 2)),
        data_layout=choice((spec.data_layout,) if spec.transposed else spec.data_layouts),
        extra_outputs=choice(((), ("returned",), ("read",))),
        **fields,
    )


def _any_axis(random: Random, *, transposed: bool) -> Axis:
    stride = random.randint(1, 3)
    return Axis(
        size=random.randint(1, 8),
        pad=(random.randint(0, 3), random.randint(0, 3)),
        kernel=random.randint(1, 3),
        stride=stride,
        dilation=random.randint(1, 2),
        padding=(random.randint(0, 2), random.randint(0, 2)),
        output_padding=random.randint(0, stride - 1) if transposed else 0,
    )


def _any_step(random: Random) -> Step:
    kind = random.choice(_STEPS)
    if kind in ("dequantize", "quantize"):
        out_dtype = "float32" if kind == "dequantize" else "int8"
        return Step(kind=kind, zero_point=(random.randint(-3, 3),), out_dtype=out_dtype)
    if kind in ("add", "subtract", "multiply", "maximum"):
        return Step(kind=kind, operand=(float(random.randint(-3, 3)),))
    return Step(kind=kind)


BASELINES = (
    Baseline(
        name="relay-matrix",
        text="the fixed matrix of Relay's test of this fold: inputs uniform in [0, 1), rtol 1e-5",
        cases=_relay_matrix,
        low=0.0,
        high=1.0,
        rtol=1e-5,
    ),
    Baseline(
        name="nnsmith",
        text="generation as in NNSmith: ConstPad of 0.5 and conv2d, inputs in [3, 7], rtol 1e-2, atol 1e-3",
        cases=_nnsmith,
        low=3.0,
        high=7.0,
        rtol=1e-2,
        atol=1e-3,
    ),
    Baseline(
        name="uniform",
        text="uniform random draws: inputs uniform in [0, 1), integers from 0 to 9, rtol 1e-5",
        cases=_uniform,
        low=0.0,
        high=1.0,
        rtol=1e-5,
    ),
)

BY_BASELINE = {baseline.name: baseline for baseline in BASELINES}


# --- comparison ---------------------------------------------------------------------------------------


def find_kills(baseline: Baseline, cases: Sequence[Case], passes: Passes, target: Target, seed: int) -> list[Kills]:
    """Return the kills of each case by a baseline.

    Args:
        baseline: The method of testing.
        cases: Cases as the baseline draws them.
        passes: The mutants and the bundled pass, which is called ``RIGHT``.
        target: The parsed target.
        seed: The seed of the inputs.
    """
    rows = [apply_all(replace(case, seed=seed), passes, form=False) for case in cases]
    pairs = [each for row in rows for each in row.distinct]
    programs = _compile(pairs, target)
    for each, program in zip(pairs, programs, strict=True):
        each.failure = program if isinstance(program, Failure) else _compare(baseline, each, program)
    return [_kills(row.failures, row.distinct) for row in rows]


def _kills(failures: Kills, distinct: Sequence[DistinctModule]) -> Kills:
    """Return the failures that a baseline sees. A failure of the bundled pass too kills nothing."""
    found = {name: failed for name, failed in failures.items() if failed.kind == "CompileError"}
    found |= {name: each.failure for each in distinct if each.failure is not None for name in each.names}
    bundled = found.pop(RIGHT, None)
    return {} if bundled is not None else found


def _compile(pairs: Sequence[DistinctModule], target: Target) -> list[Program | Failure]:
    """Compile all modules in one batch, or each alone if one of them does not compile."""
    modules = [{"unfolded": each.unfolded, "folded": each.folded} for each in pairs]
    try:
        return list(compile_batch(modules, target))
    except Exception:  # noqa: BLE001, each is compiled again, alone
        return [_compile_alone(each, both, target) for each, both in zip(pairs, modules, strict=True)]


def _compile_alone(each: DistinctModule, modules: Mapping[str, Any], target: Target) -> Program | Failure:
    try:
        return compile_batch([modules], target)[0]
    except Exception as error:  # noqa: BLE001, TVM raises errors of many kinds
        return failure("CompileError", each.case, "folded", f"TVM raised {type(error).__name__}")


def _compare(baseline: Baseline, each: DistinctModule, program: Program) -> Failure | None:
    assert isinstance(each.case, Case)  # baselines draw no graphs
    given = parameters(each.case, _inputs(baseline, each.case))
    try:
        want, got = program.run("unfolded", given), program.run("folded", given)
    except Exception as error:  # noqa: BLE001, TVM raises errors of many kinds
        return failure("CompileError", each.case, "run folded", f"running it raised {type(error).__name__}")
    close = len(want) == len(got) and all(_close(baseline, g, w) for g, w in zip(got, want, strict=True))
    return None if close else failure("Miscompile", each.case, "values", f"outputs differ by more than {baseline.rtol}")


def _close(baseline: Baseline, got: Array, want: Array) -> bool:
    a, b = got.astype(np.float64), want.astype(np.float64)
    return a.shape == b.shape and np.allclose(a, b, rtol=baseline.rtol, atol=baseline.atol, equal_nan=True)


def _inputs(baseline: Baseline, case: Case) -> dict[str, Array]:
    """Return the arguments of the function, with data and weights of this baseline. Constant weights stay."""
    arrays = inputs(case, case.fills[0], SEMANTICS)
    generator = np.random.Generator(np.random.PCG64(case.seed))
    for name in ("x", "w"):
        if name in arrays:
            arrays[name] = _draw_uniform(baseline, generator, arrays[name])
    return arrays


def _draw_uniform(baseline: Baseline, generator: np.random.Generator, like: Array) -> Array:
    if np.issubdtype(like.dtype, np.integer):
        return np.asarray(generator.integers(0, 10, like.shape), like.dtype)
    return np.asarray(generator.uniform(baseline.low, baseline.high, like.shape), like.dtype)
