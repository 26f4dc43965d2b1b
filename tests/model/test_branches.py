"""A model with branches is run without the memory plan that kills the process."""

import numpy as np
import pytest
from tests.ir.relax.targets.test_memory_plan import BeforeBranch, OtherBranch

from foldproof.model import Model
from foldproof.model.running import ModelProgram, parse_model_target


def compiled(module):
    return ModelProgram(Model(name="net", kind="relax", module=module, entry="main"), parse_model_target("llvm"))


@pytest.mark.parametrize(("condition", "want"), [(True, [2, 0, 6, 8]), (False, [-1, -4, -9, -16])])
def test_both_branches_run_and_no_memory_is_planned(condition, want):
    program = compiled(OtherBranch)
    arrays = np.array([1, -2, 3, 4], "float32"), np.array(condition)
    assert program.run(program.load(arrays))[0].tolist() == want
    assert program.plan.memory is None


def test_a_sound_plan_is_measured():
    assert compiled(BeforeBranch).plan.memory > 0
