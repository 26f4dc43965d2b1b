"""foldproof.strategies: cases reach everything, and the same seed gives the same cases."""

import subprocess
import sys
from collections import Counter
from functools import cache

import pytest
from tests.support.relax import legality

from foldproof import strategies
from foldproof.case import EXTRA_OUTPUTS, MODES, Case, dtypes, ops
from foldproof.case.pad import FORMS
from foldproof.case.step import STEP_KINDS
from foldproof.fold import Folded, FoldExplicitPadding, Kind
from foldproof.generation.draw import draw
from foldproof.generation.shards import shard_seed
from foldproof.ir.relax.build import build
from foldproof.oracle.legality import Legality
from foldproof.strategies.values import UNKNOWN_MODES

INEXPRESSIBLE = {
    Kind.UNKNOWN_PAD: "a case has pads of the two forms that the pass reads",
    Kind.OWN_PADDING: "a case has both sides of every padding",
    Kind.SCOPE: "a case is one dataflow block",
    Kind.IN_PLACE: "a case calls nothing in place",
    Kind.OPTION: "a case knows no options of the pass",
    Kind.UNFOLDED_CONSTANT: "the constants of a case are constants",
    Kind.LEGALIZED: "a case consists of ops",
}
"""Refusals that no case leads to; tests/fold and docs/reference/rules.md have their IR by hand."""

RARE = {
    Kind.DYNAMIC_WIDTH: "of the kernels that mirror, few have a width that the pass cannot read",
    Kind.SYMBOLIC: "a case has no symbolic channels, and TVM's analyzer proves nearly all lengths of cases equal",
    Kind.STEP: "a pad passes nearly every step of a case",
    Kind.SHARED: "a foldable case that pads channels, too, and returns the pad; graphs lead to it more often",
}
"""Refusals that few cases lead to, so that not every 2,500 have one."""


def assert_reaches_refusals(kinds):
    expressible = set(Kind) - set(INEXPRESSIBLE)
    assert expressible - set(RARE) <= set(kinds) <= expressible


RULES = {"identity", "nested", "cancelled", "max_pool", "chain-max_pool", "bounded-max_pool", "mirrored-max_pool"} | {
    prefix + family for prefix in ("", "dequantize-", "chain-") for family in ("conv", "conv_transpose", "avg_pool")
}
OPTIONAL_RULES = {"corrected-conv", "corrected-chain-conv"}
"""What the pass folds by option only."""


def reached(name, **options):
    """Counters of ops, modes, dtypes, rules and refusal kinds over drawn cases."""
    counts = {
        name: Counter() for name in ("op", "mode", "dtype", "layout", "rule", "kind", "fill", "extra_outputs", "part")
    }
    pass_ = FoldExplicitPadding(check_input=False, **options)
    for case in drawn_by(name):
        counts["op"][case.op] += 1
        counts["mode"][case.pad.mode] += 1
        counts["dtype"][case.dtype] += 1
        counts["layout"][case.op, case.operand_layout] += 1
        counts["fill"].update(case.fills)
        counts["extra_outputs"].update(case.extra_outputs)
        for report in pass_.explain(build(case)):
            if isinstance(report.outcome, Folded):
                counts["rule"][report.outcome.rule] += 1
                counts["part"]["kept"] += report.outcome.kept is not None
                counts["part"]["sliced"] += report.outcome.channels is not None
            else:
                counts["kind"][report.outcome.kind] += 1
    return counts


@pytest.mark.slow
def test_cases_reach_every_op_mode_dtype_rule_and_refusal():
    counts = reached("cases")
    assert set(counts["op"]) == set(ops.NAMES)
    assert set(counts["mode"]) == set(MODES) | set(UNKNOWN_MODES)
    assert set(counts["dtype"]) == set(dtypes.DTYPES)
    assert set(counts["rule"]) == RULES
    assert_reaches_refusals(counts["kind"])
    assert set(counts["fill"]) == set(ops.FILLS)
    assert set(counts["extra_outputs"]) == set(EXTRA_OUTPUTS)
    assert counts["part"]["kept"] > 0


@pytest.mark.slow
def test_cases_reach_what_the_pass_folds_by_option():
    counts = reached("cases", nonzero="correct", channels="slice")
    assert set(counts["rule"]) == RULES | OPTIONAL_RULES
    assert counts["part"]["sliced"] > 0


@cache
def drawn_by(name):
    """As a campaign draws: several shards, each with a seed of its own."""
    strategy = getattr(strategies, name)()
    return [case for shard in range(5) for case in draw(strategy, 500, shard_seed(1, shard))]


@pytest.mark.slow
def test_chains_have_every_kind_of_step_and_pads_every_form():
    drawn = [case for name in ("cases", "foldable_cases", "unfoldable_cases") for case in drawn_by(name)]
    assert {step.kind for case in drawn for step in case.steps} == set(STEP_KINDS)
    assert {len(case.steps) for case in drawn} >= {0, 1, 2, 3, 4}
    assert any(len(step.operand) > 1 for case in drawn for step in case.steps)
    assert any(case.producers for case in drawn)
    assert {case.pad.form for case in drawn} == set(FORMS)
    assert {case.pad.mode for case in drawn if case.pad.form == "call_tir"} >= {"constant", "replicate", "circular"}
    assert {letter for case in drawn for letter in case.symbolic} == set("NDHW")
    assert any(case.constant_weight for case in drawn)
    assert any("step" in case.extra_outputs for case in drawn)
    assert any(len(case.input_layout) != len(case.operand_layout) for case in drawn)


@pytest.mark.slow
def test_unfoldable_chains_have_run_time_operands_and_several_pads():
    drawn = drawn_by("unfoldable_cases")
    assert any(not step.constant for case in drawn for step in case.steps if step.kind == "multiply")
    assert any(sum(step.kind == "pad" for step in case.steps) == 2 for case in drawn)
    assert {case.pad.mode for case in drawn if case.steps} >= set(MODES)


@pytest.mark.slow
def test_foldable_cases_reach_every_op_and_rule():
    counts = reached("foldable_cases")
    assert set(counts["op"]) == set(ops.NAMES)
    assert set(counts["rule"]) == RULES - {"cancelled", "mirrored-max_pool"}  # only boundaries reach them, legal or not
    assert {"constant", "reflect"} <= set(counts["mode"]) <= set(MODES)  # all-zero pads have any


@pytest.mark.slow
def test_unfoldable_cases_reach_every_op_mode_and_refusal():
    counts = reached("unfoldable_cases")
    assert set(counts["op"]) == set(ops.NAMES)
    assert set(counts["mode"]) == set(MODES) | set(UNKNOWN_MODES)
    assert_reaches_refusals(counts["kind"])


@pytest.mark.slow
@pytest.mark.parametrize("spec", ops.OPS, ids=lambda spec: spec.name)
def test_data_layouts_of_an_op_are_drawn(spec):
    drawn = {case.operand_layout for case in draw(strategies.cases(spec.name), 400, 3)}
    assert drawn <= set(spec.data_layouts)
    assert len(drawn) >= (1 if spec.transposed else min(12, len(spec.data_layouts)))


@pytest.mark.slow
@pytest.mark.parametrize("op", ops.NAMES)
def test_at_least_half_of_the_foldable_cases_are_legal(op):
    answers = Counter(legality(case) for case in draw(strategies.foldable_cases(op), 30, 1))
    assert answers[Legality.LEGAL] >= answers.total() / 2, answers


@pytest.mark.slow
@pytest.mark.parametrize("op", ops.NAMES)
def test_at_least_half_of_the_unfoldable_cases_are_illegal(op):
    answers = Counter(legality(case) for case in draw(strategies.unfoldable_cases(op), 30, 1))
    assert answers[Legality.ILLEGAL] + answers[Legality.THIS_SHAPE_ONLY] >= answers.total() / 2, answers


def test_an_unknown_op_is_named_with_the_choices():
    with pytest.raises(ValueError, match=r"unknown op 'conv4d'; expected one of conv1d, conv2d"):
        strategies.cases("conv4d")


def test_pad_widths_are_asymmetric_wider_than_the_kernel_and_zero():
    axes = [axis for case in draw(strategies.cases("conv2d"), 300, 4) for axis in case.axes]
    assert any(axis.pad[0] != axis.pad[1] for axis in axes)
    assert any(max(axis.pad) >= axis.kernel for axis in axes)
    assert any(axis.pad == (0, 0) for axis in axes)
    assert any(min(axis.pad) < 0 for axis in axes)
    assert any(max(axis.padding) > axis.kernel for axis in axes)


# --- the same seed, the same cases --------------------------------------------------------------------


def test_the_same_seed_gives_the_same_cases_and_another_seed_others():
    first = draw(strategies.cases(), 100, shard_seed(7, 0))
    assert draw(strategies.cases(), 100, shard_seed(7, 0)) == first
    assert draw(strategies.cases(), 100, shard_seed(7, 1)) != first
    assert shard_seed(7, 1_000_003) != shard_seed(8, 1)


CONSTANTS = "\n".join(
    [f"I{i} = {100 + i}" for i in range(300)]
    + [f"F{i} = {0.125 + i / 7}" for i in range(200)]
    + [f"S{i} = 'text {i}'" for i in range(200)]
)


def test_importing_a_module_full_of_constants_changes_no_case(tmp_path):
    (tmp_path / "full_of_constants.py").write_text(CONSTANTS)
    program = """
import sys
if sys.argv[1] == "with": import full_of_constants
from hashlib import sha256
from foldproof import strategies
from foldproof.generation.draw import draw
print(sha256("".join(case.dumps() for case in draw(strategies.cases(), 200, 11)).encode()).hexdigest())
"""
    digests = {
        subprocess.run(
            [sys.executable, "-c", program, variant], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        for variant in ("with", "without")
    }
    assert len(digests) == 1


def test_a_case_of_one_process_is_that_of_another():
    cases = draw(strategies.cases(), 50, 5)
    assert [Case.from_json(case.to_json()) for case in cases] == cases
