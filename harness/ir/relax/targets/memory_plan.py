"""Leave out the passes of TVM that give two live tensors the same memory, where they do.

    if c:  storage = alloc_storage(16); a = alloc_tensor(storage)
    else:  b = alloc_tensor(storage)                                   # storage is not allocated on this path

``StaticPlanBlockMemory`` keeps one pool of memory for all blocks of a function, and assumes that a packed function
does not return its argument. So it gives a tensor

- memory that only another branch allocates: the process dies (apache/tvm #20191),
- memory of a tensor that is still read under another name: the values are wrong.

``RewriteDataflowReshape`` makes the result of a reshape, or of a kernel that only copies, a view of its input. It does
so even if ``call_tir_inplace`` overwrites that input while the view is still read.

Invariant: a plan is accepted only if each tensor is allocated from memory that exists on every path to it, and if no
tensor is read after its memory was given away. A view is accepted only where nothing writes in place. The pipeline is
right without both passes, which only save memory.
"""

from collections.abc import Iterator
from typing import Any

import tvm
import tvm_ffi
from tvm import ir, relax, tirx

PLANNER, VIEWS = "StaticPlanBlockMemory", "RewriteDataflowReshape"

OTHER_BRANCH = "gives a tensor memory that only another branch allocates"
STILL_READ = "gives away the memory of a tensor that is still read"
OVERWRITTEN = "makes views of tensors that may be overwritten in place"


@tvm.ir.instrument.pass_instrument
class RequireSoundMemory:
    """Leave out a pass whose result would be unsound; ``reason`` says which and why, and is empty if none is."""

    def __init__(self) -> None:
        self._reasons: list[str] = []
        self._asking = False

    @property
    def reason(self) -> str:
        return "; ".join(self._reasons)

    def should_run(self, module: tvm.IRModule, info: Any) -> bool:
        find_problem = _FIND_PROBLEM.get(str(info.name))
        if find_problem is None or self._asking:
            return True
        self._asking = True
        try:
            problem = find_problem(module)
        finally:
            self._asking = False
        if problem:
            self._reasons.append(f"compiled without {info.name}, which {problem}")
        return not problem


def _find_planning_problem(module: tvm.IRModule) -> str:
    return find_unsound_plan(relax.transform.StaticPlanBlockMemory()(module))


def _find_view_problem(module: tvm.IRModule) -> str:
    """Return whether a module that writes in place would get views."""
    if not _writes_in_place(module):
        return ""
    viewed = relax.transform.RewriteDataflowReshape()(module)
    return "" if tvm_ffi.structural_equal(module, viewed) else OVERWRITTEN


def _writes_in_place(module: tvm.IRModule) -> bool:
    found = []

    def visit(node: Any) -> None:
        if isinstance(node, ir.Call) and node.op == _IN_PLACE:
            found.append(node)

    for function in module.functions.values():
        if isinstance(function, relax.Function):
            relax.analysis.post_order_visit(function, visit)
    return bool(found)


_IN_PLACE = ir.Op.get("relax.call_tir_inplace")
_FIND_PROBLEM = {PLANNER: _find_planning_problem, VIEWS: _find_view_problem}


def find_unsound_plan(module: tvm.IRModule) -> str:
    """Return what is wrong with the memory plan of a module, after ``StaticPlanBlockMemory``; empty if nothing."""
    primfuncs = {var for var, function in module.functions_items() if isinstance(function, tirx.PrimFunc)}
    for function in module.functions.values():
        if isinstance(function, relax.Function) and (problem := _Function(primfuncs).find_problem(function)):
            return problem
    return ""


_Tensors = frozenset[int] | tuple["_Tensors", ...]
"""The tensors that a value may be: a set, or one such for each part of a tuple."""


class _Function:
    """The memory of one function: which storage exists, and which tensor each variable may be.

    A tensor is the call that allocates it. ``given_away`` are tensors whose storage was given to a later one. Only a
    call, a condition and a result read a tensor: another name of it, or a tuple, may outlive it.
    """

    def __init__(self, primfuncs: set[ir.GlobalVar]) -> None:
        self._primfuncs = primfuncs
        self._tensors: dict[Any, _Tensors] = {}
        self._storage_of: dict[int, Any] = {}

    def find_problem(self, function: relax.Function) -> str:
        return self._sequence(function.body, set(), set())

    def _sequence(self, sequence: relax.SeqExpr, storages: set[Any], given_away: set[int]) -> str:
        """Return the first problem; add to ``given_away``. ``storages`` are those that exist on every path to here."""
        storages = set(storages)
        for block in sequence.blocks:
            for binding in block.bindings:
                if problem := self._binding(binding, storages, given_away):
                    return problem
        return self._read(sequence.body, given_away)

    def _binding(self, binding: Any, storages: set[Any], given_away: set[int]) -> str:
        value = binding.value
        if isinstance(value, relax.If):
            return self._branch(binding.var, value, storages, given_away)
        op = value.op.name if isinstance(value, ir.Call) and isinstance(value.op, ir.Op) else ""
        if op == "relax.memory.alloc_storage":
            storages.add(binding.var)
            return ""
        if op == "relax.memory.alloc_tensor":
            return self._allocate(binding.var, value.args[0], storages, given_away)
        if isinstance(value, ir.Call) and (problem := self._read(value, given_away)):
            return problem
        self._tensors[binding.var] = self._may_be(value)
        return ""

    def _branch(self, var: Any, value: relax.If, storages: set[Any], given_away: set[int]) -> str:
        before = set(given_away)
        problem = self._read(value.cond, before)
        for branch in (value.true_branch, value.false_branch):
            after = set(before)
            problem = problem or self._sequence(branch, storages, after)
            given_away |= after
        self._tensors[var] = _either(self._may_be(value.true_branch.body), self._may_be(value.false_branch.body))
        return problem

    def _allocate(self, var: Any, storage: Any, storages: set[Any], given_away: set[int]) -> str:
        if storage not in storages:
            return OTHER_BRANCH
        given_away.update(tensor for tensor, its in self._storage_of.items() if its.same_as(storage))
        new = len(self._storage_of)
        self._storage_of[new] = storage
        self._tensors[var] = frozenset({new})
        return ""

    def _read(self, value: Any, given_away: set[int]) -> str:
        read = [self._tensors.get(var, frozenset()) for var in read_variables(value)]
        return STILL_READ if _flatten(tuple(read)) & given_away else ""

    def _may_be(self, value: Any) -> "_Tensors":
        """Return which tensors a value may be. A kernel has no result; any other call may return an argument."""
        if isinstance(value, relax.Var):
            return self._tensors.get(value, frozenset())
        if isinstance(value, relax.Tuple):
            return tuple(self._may_be(part) for part in value.fields)
        if isinstance(value, relax.TupleGetItem):
            whole = self._may_be(value.tuple_value)
            return whole[value.index] if isinstance(whole, tuple) else whole
        if isinstance(value, ir.Call) and not (value.op in self._primfuncs or _is_allocation(value)):
            return _flatten(tuple(self._may_be(argument) for argument in value.args))
        return frozenset()


def _flatten(tensors: "_Tensors") -> frozenset[int]:
    return frozenset().union(*map(_flatten, tensors)) if isinstance(tensors, tuple) else tensors


def _either(one: "_Tensors", other: "_Tensors") -> "_Tensors":
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return tuple(map(_either, one, other))
    return _flatten((one, other))


def _is_allocation(call: ir.Call) -> bool:
    return isinstance(call.op, ir.Op) and call.op.name == "relax.builtin.alloc_tensor"


def read_variables(value: Any) -> Iterator[Any]:
    """Yield the variables in a value that are not called."""
    if isinstance(value, relax.Var):
        yield value
    elif isinstance(value, relax.Tuple):
        for part in value.fields:
            yield from read_variables(part)
    elif isinstance(value, relax.TupleGetItem):
        yield from read_variables(value.tuple_value)
    elif isinstance(value, ir.Call):
        for argument in value.args:
            yield from read_variables(argument)
