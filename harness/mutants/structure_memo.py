"""Mutants of structure: what a pass remembers of one site and uses for another, and pads that several sites read."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import tvm
import tvm_ffi
from tvm import ir, relax

from foldproof.case import Axis, Pad, Step
from foldproof.case.adoption import PADDED, SAME
from foldproof.case.graph import Function
from foldproof.fold import Folded, Outcome, Refused, moves, replacement, rewrite
from foldproof.fold import bindings as bindings_
from foldproof.fold.bindings import Bindings, Use
from foldproof.fold.facts import PadFacts
from foldproof.fold.pad_kernels import PadKernels
from foldproof.fold.paths import Path
from foldproof.fold.reader import CONSUMERS, PAD, STEPS, op_name
from foldproof.fold.rewrite import Folding
from foldproof.fold.varmap import VarMap
from foldproof.ir.base import Pass
from foldproof.mutants.edits import (
    Binding,
    edit_bindings,
    edit_folded,
    edit_functions,
    edited,
    map_bindings,
    relax_functions,
)
from foldproof.mutants.mutant import (
    BARE,
    OTHER,
    POOL,
    SHIFTED,
    STEP,
    C,
    Mutant,
    graph_witness,
    linked_witness,
    site_witness,
    witness_case,
)
from foldproof.mutants.operators import patch_pass
from foldproof.mutants.patched_pass import BUNDLED

# --- memos --------------------------------------------------------------------------------------------

Key = Callable[[Folding, Bindings, Path, Use], Any]


def memoize_outcomes(key: Key) -> Pass:
    """Return a pass that decides once for each key in a module.

    It remembers the whole folds alone: what stays of a pad would fold again and again.
    """
    memos: WeakKeyDictionary[Any, dict[Any, Outcome]] = WeakKeyDictionary()

    def decide(
        folding: Folding, bindings: Bindings, path: Path, use: Use, pad: PadFacts | None = None, source: Any = None
    ) -> Outcome:
        if pad is not None:
            return _decide(folding, bindings, path, use, pad, source)
        memo, found = memos.setdefault(folding.prim_pads, {}), key(folding, bindings, path, use)
        if found in memo:
            return memo[found]
        outcome = _decide(folding, bindings, path, use)
        if isinstance(outcome, Refused) or outcome.kept is None:
            memo[found] = outcome
        return outcome

    _decide = rewrite._decide
    return patch_pass(rewrite, _decide=decide)


def _op(bindings: Bindings, use: Use) -> str:
    return op_name(bindings.values.get(use[0])) if use[0] is not None else ""


def memo_by_variable_name() -> Pass:
    """The pass decides once for each name of a padded variable."""
    return memoize_outcomes(lambda folding, bindings, path, use: (path.pad.name, _op(bindings, use)))


def memo_by_function_name() -> Pass:
    """The pass decides once for each function and op."""
    return memoize_outcomes(lambda folding, bindings, path, use: (folding.name, _op(bindings, use)))


def memo_by_pad_attributes() -> Pass:
    """The pass decides once for each pad with the same widths and value, whatever its consumer's own padding is."""
    return memoize_outcomes(lambda folding, bindings, path, use: (bindings.pad(path.pad), _op(bindings, use)))


def memo_by_shape() -> Pass:
    """The pass decides once for each type of a padded tensor and op, whatever the pad value and the steps are."""
    return memoize_outcomes(lambda folding, bindings, path, use: (str(path.pad.ty), _op(bindings, use)))


def memo_by_position() -> Pass:
    """The pass decides once for each place of a pad in its function, for all functions together."""

    def place(folding: Folding, bindings: Bindings, path: Path, use: Use) -> tuple[Any, ...]:
        found = next(number for number, pad in enumerate(bindings.pads) if pad.same_as(path.pad))
        return found, _op(bindings, use)

    return memoize_outcomes(place)


def kernel_memo_by_base_name() -> Pass:
    """The pass reads one PrimFunc for all whose names differ in their numbers only."""

    def read(kernels: PadKernels, global_var: ir.GlobalVar) -> Any:
        found = _read_kernel(kernels, global_var)
        memo = vars(kernels).setdefault("by_name", {})
        return found if found is None else memo.setdefault(global_var.name_hint.rstrip("0123456789"), found)

    _read_kernel = PadKernels._read_kernel
    return patch_pass(PadKernels, _read_kernel=read)


def moved_steps_by_name() -> Pass:
    """The pass moves a step once for each name of a variable."""

    def bind(bindings: Bindings, key: Any, value: ir.Call, like: relax.Var, *rest: Any) -> relax.Var:
        return _bind(bindings, (like.name,), value, like, *rest)

    _bind = moves._bind
    return patch_pass(moves, _bind=bind)


def second_site_gets_the_first_padding() -> Pass:
    """The pass gives every consumer of a function the padding of the first fold there."""
    first: WeakKeyDictionary[Bindings, tuple[int, ...]] = WeakKeyDictionary()

    def rewritten(bindings: Bindings, consumer: relax.Var, operand: Any, outcome: Folded) -> relax.Var:
        padding = tuple(outcome.padding or ())
        known = first.setdefault(bindings, padding)
        chosen = replace(outcome, padding=known) if len(known) == len(padding) else outcome
        return _rewrite(bindings, consumer, operand, chosen)

    _rewrite = replacement.rewrite_consumer
    return patch_pass(replacement, rewrite_consumer=rewritten)


def padding_added_for_each_consumer() -> Pass:
    """The widths of a pad with several consumers are added once more for each of them."""
    folds: WeakKeyDictionary[Bindings, VarMap[int]] = WeakKeyDictionary()
    times: WeakKeyDictionary[Bindings, int] = WeakKeyDictionary()

    def moved(bindings: Bindings, path: Path, outcome: Folded, consumer: relax.Var, memo: Any) -> Any:
        counts = folds.setdefault(bindings, VarMap())
        counts[path.pad] = times[bindings] = counts.get(path.pad, 0) + 1
        return _move(bindings, path, outcome, consumer, memo)

    def rewritten(bindings: Bindings, consumer: relax.Var, operand: Any, outcome: Folded) -> relax.Var:
        own = (int(width) for width in bindings.values[consumer].attrs.padding)
        sides = zip(own, outcome.padding or (), strict=True)
        more = tuple(old + times[bindings] * (new - old) for old, new in sides)
        return _rewrite(bindings, consumer, operand, replace(outcome, padding=more))

    _move, _rewrite = moves.move_operand, replacement.rewrite_consumer
    return patch_pass(moves, move_operand=moved, fold=patch_pass(replacement, rewrite_consumer=rewritten))


# --- equal sites --------------------------------------------------------------------------------------


def merge_first(names: Callable[[str], bool], merges: Callable[[ir.Call, ir.Call], bool]) -> Pass:
    """Return a pass that first takes calls of one type for one call, where ``merges`` says so."""

    def merged(body: Bindings) -> None:
        seen: list[relax.Var] = []
        for var, value in body.values.items():
            if isinstance(value, ir.Call) and names(op_name(value)) and not _is_inner(body, var):
                alike = (one for one in seen if merges(body.values[one], value) and _equal(one.ty, var.ty))
                first = next(alike, None)
                if first is None:
                    seen.append(var)
                elif body.visible(first, var):
                    body.aliases[var] = first

    def fold(mod: tvm.IRModule) -> tvm.IRModule:
        return BUNDLED(edit_functions(mod, {var: edited(function, merged) for var, function in relax_functions(mod)}))

    return fold


def _is_inner(body: Bindings, var: relax.Var) -> bool:
    """Return whether a variable is bound in a branch or a local function."""
    return not any(block.same_as(body.home[var]) for block in body.function.body.blocks)


def _equal(a: Any, b: Any) -> bool:
    return bool(tvm_ffi.structural_equal(a, b))


def _have_equal_arguments(a: ir.Call, b: ir.Call, start: int = 0) -> bool:
    return len(a.args) == len(b.args) and all(map(_equal, a.args[start:], b.args[start:]))


def equal_pads_of_other_value_merged() -> Pass:
    """Two pads of one tensor with equal widths become one, whatever their values and modes are."""
    return merge_first(
        lambda name: name == PAD,
        lambda a, b: _have_equal_arguments(a, b) and list(a.attrs.pad_width) == list(b.attrs.pad_width),
    )


def equal_consumers_of_other_attributes_merged() -> Pass:
    """Two consumers with equal operands and types become one, whatever their attributes are."""
    return merge_first(
        lambda name: name in CONSUMERS, lambda a, b: bool(a.op.same_as(b.op)) and _have_equal_arguments(a, b)
    )


def equal_consumers_of_other_data_merged() -> Pass:
    """Two consumers with equal weights, attributes and types become one, whatever their data is."""

    def alike(a: ir.Call, b: ir.Call) -> bool:
        return bool(a.op.same_as(b.op)) and _equal(a.attrs, b.attrs) and _have_equal_arguments(a, b, start=1)

    return merge_first(lambda name: name in CONSUMERS, alike)


# --- pads and weights with several readers ------------------------------------------------------------


def all_readers_read_the_unpadded() -> Pass:
    """After one fold of a shared pad, its other readers read the unpadded tensor, too."""

    def moved(bindings: Bindings, path: Path, outcome: Folded, consumer: relax.Var, memo: Any) -> Any:
        if len(bindings.users(path.pad)) > 1:
            bindings.aliases[path.pad] = bindings.source(path.pad)
        return _move(bindings, path, outcome, consumer, memo)

    _move = moves.move_operand
    return patch_pass(moves, move_operand=moved)


def second_consumer_forgotten() -> Pass:
    """The pass folds a pad into its first consumer only."""
    met: WeakKeyDictionary[Bindings, VarMap[bool]] = WeakKeyDictionary()

    def find(folding: Folding, bindings: Bindings, consumer: relax.Var) -> tuple[Path, Folded] | None:
        found, known = _find(folding, bindings, consumer), met.setdefault(bindings, VarMap())
        if found is None or found[0].pad in known:
            return None
        known[found[0].pad] = True
        return found

    _find = rewrite._find_fold
    return patch_pass(rewrite, _find_fold=find)


def readers_of_other_blocks_forgotten() -> Pass:
    """A pad is removed though something in another block reads it."""

    def buried(body: Bindings, unread: list[relax.Var]) -> None:
        for var in unread:
            if body.pad(var) is not None and (readers := [user for user, _ in body.users(var)]):
                far = all(user is not None and not body.home[user].same_as(body.home[var]) for user in readers)
                if far:
                    body.dead[var] = True
        _bury(body, [var for var in unread if var not in body.dead])

    _bury = Bindings._bury
    return patch_pass(Bindings, _bury=buried)


def readers_in_nested_tuples_forgotten() -> Pass:
    """The pass does not see what a tuple within a tuple reads."""

    def operands(value: Any) -> list[tuple[relax.Var, int]]:
        if isinstance(value, relax.Tuple):
            return [(field, 0) for field in value.fields if isinstance(field, relax.Var)]
        return _operands(value)

    _operands = bindings_._operands
    return patch_pass(bindings_, _operands=operands)


def padded_weight_for_all() -> Pass:
    """Every later reader of a weight that is padded somewhere reads the padded weight."""

    def changed(body: Bindings) -> None:
        padded: VarMap[relax.Var] = VarMap()
        for var, call in body.values.items():
            if body.pad(var) is not None and isinstance(body.source(var), relax.Var):
                padded[body.source(var)] = var
            elif op_name(call) in CONSUMERS and len(call.args) > 1 and call.args[1] in padded:
                pad = padded[call.args[1]]
                body.replaced[var] = ir.Call(call.op, [call.args[0], pad], call.attrs, call.ty_args, call.span, call.ty)

    return edit_bindings(changed)


# --- constants and weights ------------------------------------------------------------------------------


def constants_by_type() -> Pass:
    """In a function that changes, one constant is bound for all of its type."""

    def shared(function: relax.Function) -> relax.Function:
        first: list[Any] = []

        def same(binding: Binding) -> list[Binding]:
            value = binding.value
            if not isinstance(value, ir.GenericConst):
                return [binding]
            known = next((one for one in first if _equal(one.ty, value.ty)), None)
            if known is None:
                first.append(value)
                return [binding]
            return [relax.VarBinding(binding.var, known)]

        return map_bindings(function, same)

    return edit_folded(shared)


def weights_by_type() -> Pass:
    """In a function that changes, a convolution reads the first weight of its type."""

    def shared(body: Bindings) -> None:
        first: list[relax.Var] = []
        for var in body.consumers:
            call = body.values[var]
            if len(call.args) > 1 and isinstance(call.args[1], relax.Var):
                known = next((one for one in first if _equal(one.ty, call.args[1].ty)), None)
                if known is None:
                    first.append(call.args[1])
                elif not known.same_as(call.args[1]) and body.visible(known, var):
                    args = [call.args[0], known, *call.args[2:]]
                    body.replaced[var] = ir.Call(call.op, args, call.attrs, call.ty_args, call.span, call.ty)

    return edit_bindings(shared)


def moved_steps_by_their_data() -> Pass:
    """The pass moves a step once for each op and data, whatever the attributes and the other operands are."""

    def bind(bindings: Bindings, key: Any, value: ir.Call, like: relax.Var, *rest: Any) -> relax.Var:
        if op_name(value) in STEPS:
            home = bindings.home[like].__chandle__()
            key = (op_name(value), key[1], value.args[0].__chandle__(), str(value.ty), home)
        return _bind(bindings, key, value, like, *rest)

    _bind = moves._bind
    return patch_pass(moves, _bind=bind)


# --- the table ----------------------------------------------------------------------------------------

ONES = replace(C, pad=Pad(value=1.0))
"""A convolution whose pad stays, since its value is 1."""

_KERNEL = replace(C, pad=Pad(form="call_tir"))
_CONSTANT = replace(C, constant_weight=True)

_LEAKY = replace(C, steps=(Step(kind="leakyrelu"),))
_LEAKIER = replace(C, steps=(Step(kind="leakyrelu", alpha=0.5),))

MUTANTS: tuple[Mutant, ...] = (
    Mutant(kind="structure: memo", make=memo_by_variable_name, witness=graph_witness(C, OTHER, equal_names=True)),
    Mutant(kind="structure: memo", make=memo_by_function_name, witness=graph_witness(C, OTHER)),
    Mutant(kind="structure: memo", make=memo_by_pad_attributes, witness=graph_witness(C, SHIFTED)),
    Mutant(kind="structure: memo", make=memo_by_shape, witness=graph_witness(C, ONES)),
    Mutant(
        kind="structure: memo",
        make=memo_by_position,
        witness=graph_witness(C, site_witness(OTHER, function=1), functions=(Function(),)),
    ),
    Mutant(
        kind="structure: memo",
        make=kernel_memo_by_base_name,
        witness=graph_witness(_KERNEL, replace(OTHER, pad=_KERNEL.pad)),
    ),
    Mutant(kind="structure: memo", make=moved_steps_by_name, witness=graph_witness(STEP, replace(STEP, seed=1))),
    Mutant(kind="structure: memo", make=second_site_gets_the_first_padding, witness=graph_witness(C, OTHER)),
    Mutant(
        kind="structure: memo",
        make=padding_added_for_each_consumer,
        witness=graph_witness(C, linked_witness(C, C, PADDED)),
    ),
    Mutant(
        kind="structure: equal sites",
        make=equal_pads_of_other_value_merged,
        witness=graph_witness(C, linked_witness(ONES, C, SAME)),
    ),
    Mutant(
        kind="structure: equal sites",
        make=equal_consumers_of_other_attributes_merged,
        witness=graph_witness(
            SHIFTED,
            linked_witness(witness_case("conv1d", replace(BARE, padding=(0, 1))), SHIFTED, PADDED, weight_of=0),
        ),
    ),
    Mutant(
        kind="structure: equal sites",
        make=equal_consumers_of_other_data_merged,
        witness=graph_witness(C, site_witness(replace(C, seed=1), weight_of=0)),
    ),
    Mutant(
        kind="structure: readers",
        make=all_readers_read_the_unpadded,
        witness=graph_witness(C, linked_witness(POOL, C, PADDED)),
    ),
    Mutant(
        kind="structure: readers",
        make=second_consumer_forgotten,
        witness=graph_witness(C, linked_witness(C, C, PADDED)),
    ),
    Mutant(
        kind="structure: readers",
        make=readers_of_other_blocks_forgotten,
        witness=graph_witness(C, linked_witness(POOL, C, PADDED, place="behind")),
    ),
    Mutant(
        kind="structure: readers",
        make=readers_in_nested_tuples_forgotten,
        witness=graph_witness(replace(C, extra_outputs=("returned",)), nested_outputs=True),
    ),
    Mutant(
        kind="structure: readers",
        make=padded_weight_for_all,
        witness=graph_witness(
            replace(C, axes=(Axis(size=6, pad=(0, 1), kernel=2),), pad=Pad(operand="weight")),
            site_witness(C, weight_of=0),
        ),
    ),
    Mutant(
        kind="structure: memo",
        make=constants_by_type,
        witness=graph_witness(_CONSTANT, replace(_CONSTANT, seed=1), bound_constants=True),
    ),
    Mutant(kind="structure: memo", make=weights_by_type, witness=graph_witness(C, replace(C, seed=1))),
    Mutant(
        kind="structure: memo",
        make=moved_steps_by_their_data,
        witness=graph_witness(_LEAKY, linked_witness(_LEAKIER, _LEAKY, SAME)),
    ),
)
"""The mutants of this module."""
