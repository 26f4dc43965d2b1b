"""benchmarks/fold_time.py: its graphs are sound, and it runs. What it measures is for people to read."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
import tvm
from click.testing import CliRunner
from tvm import ir, relax

from foldproof.fold import Folded, FoldExplicitPadding

PATH = Path(__file__).parents[2] / "benchmarks" / "fold_time.py"
SPEC = importlib.util.spec_from_file_location("fold_time", PATH)
fold_time = importlib.util.module_from_spec(SPEC)
sys.modules["fold_time"] = fold_time  # dataclasses look their module up
SPEC.loader.exec_module(fold_time)


@pytest.mark.parametrize("kind", fold_time.KINDS, ids=lambda kind: kind.name)
def test_a_generated_graph_is_well_formed_and_its_types_are_those_that_tvm_infers(kind):
    module = fold_time.build(kind, 25)
    relax.analysis.well_formed(module)
    tvm.ir.assert_structural_equal(relax.transform.Normalize()(module), module)
    main = module["main"]
    (block,) = main.body.blocks
    assert 25 <= len([b for b in block.bindings if isinstance(b.value, ir.Call)]) <= 28


def test_every_third_node_of_the_direct_graph_is_a_site_that_folds():
    (direct,) = [kind for kind in fold_time.KINDS if kind.name == "direct"]
    reports = FoldExplicitPadding().explain(fold_time.build(direct, 30))
    assert [isinstance(report.outcome, Folded) for report in reports] == [True] * 10


@pytest.mark.slow
def test_the_table_has_a_row_for_each_graph_and_size():
    out = CliRunner(env={"COLUMNS": "140"}).invoke(fold_time.main, ["--sizes", "12,24", "--repeats", "1"])
    assert out.exit_code == 0, out.output
    for kind in fold_time.KINDS:
        assert len(re.findall(rf"^│ {kind.name} +│ fold +│", out.output, re.MULTILINE)) == 2


def test_a_profile_shows_where_time_goes():
    out = CliRunner().invoke(fold_time.main, ["--sizes", "12", "--profile", "direct"])
    assert out.exit_code == 0, out.output
    assert "foldproof/fold" in out.output
