"""foldproof.ir.relax.structure: each thing that a pass changes beside its folds is found, with its symptom."""

import pytest
import tvm
from tests.support.graphs import CONV, POOL, RELU, graph
from tvm import relax

from foldproof import check
from foldproof.case.graph import Function, Site
from foldproof.checking.failures import Failure, StructureChanged
from foldproof.fold import FoldExplicitPadding
from foldproof.ir.relax.ir import RELAX

PARTS = graph(Site(case=CONV), Site(case=POOL, function=1), functions=(Function(private=False, composite=True),))


def with_part(module, change):
    """The module with another function part1; None leaves it out."""
    functions = {}
    for var, function in module.functions.items():
        new = change(function) if var.name_hint == "part1" else function
        if new is not None:
            functions[var] = new
    return tvm.IRModule(functions)


def rebuilt(function):
    return relax.Function(
        function.params, function.body, function.ret_ty, is_pure=function.is_pure, attrs=function.attrs
    )


def renamed(function):
    fresh = [relax.Var("renamed", param.ty) for param in function.params]
    bound = dict(zip(function.params, fresh, strict=True))

    @relax.expr_functor.mutator
    class Rename(relax.PyExprMutator):
        def visit_var_(self, var):
            return bound.get(var, var)

    body = Rename().visit_expr(function.body)
    return relax.Function(fresh, body, function.ret_ty, is_pure=function.is_pure, attrs=function.attrs)


def twice(op):
    """A pass that calls one op twice: the second call reads nothing that matters, and its result is returned."""

    @relax.expr_functor.mutator
    class Twice(relax.PyExprMutator):
        def visit_call_(self, call):
            call = self.visit_expr_post_order(call)
            if isinstance(call.op, tvm.ir.Op) and call.op.name == op:
                self.builder_.emit(call)
            return call

    def fold(module):
        return tvm.IRModule(
            {
                var: Twice(module).visit_expr(function) if var.name_hint == "main" else function
                for var, function in module.functions.items()
            }
        )

    return fold


SYMPTOMS = {
    "function lost": lambda module: with_part(module, lambda function: None),
    "signature": lambda module: with_part(module, renamed),
    "attributes": lambda module: with_part(module, lambda function: function.without_attr("Composite")),
    "function rebuilt": lambda module: with_part(module, rebuilt),
    "more pads": twice("relax.nn.pad"),
}


@pytest.mark.parametrize("symptom", SYMPTOMS)
def test_each_change_beside_the_folds_has_its_symptom(symptom):
    module = RELAX.build(PARTS)
    change = RELAX.find_structure_change(module, SYMPTOMS[symptom](module), copies=0)
    assert change is not None
    assert change.symptom == symptom


def test_a_call_of_a_private_function_that_is_gone_dangles():
    private = graph(*PARTS.sites, functions=(Function(),))
    module = RELAX.build(private)
    change = RELAX.find_structure_change(module, with_part(module, lambda function: None), copies=0)
    assert change is not None
    assert change.symptom == "dangling call"


def test_more_steps_than_the_copies_that_are_allowed_are_found():
    module = RELAX.build(graph(Site(case=CONV.__class__(op="conv1d", axes=CONV.axes, steps=(RELU,)))))
    after = twice("relax.nn.relu")(module)
    assert RELAX.find_structure_change(module, after, copies=1) is None
    change = RELAX.find_structure_change(module, after, copies=0)
    assert change is not None
    assert change.symptom == "more steps"


def test_folds_are_no_change():
    module = RELAX.build(PARTS)
    folded = FoldExplicitPadding()(module)
    assert not RELAX.same(module, folded)
    assert RELAX.find_structure_change(module, folded, copies=0) is None


def test_check_reports_the_change():
    with pytest.raises(StructureChanged) as failed:
        check(PARTS, SYMPTOMS["attributes"])
    failure: Failure = failed.value
    assert failure.fingerprint == "StructureChanged/graph/attributes"
    assert "the attributes of part1 were" in failure.detail
