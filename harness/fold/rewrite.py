"""Fold the pads of one Relax function. The rules decide; this module only moves IR.

    lv = nn.pad(x)              lv1 = relu(x)
    lv1 = relu(lv)       ->     lv2 = conv2d(lv1, w, padding=own + widths)
    lv2 = conv2d(lv1, w)

First go the pads that do nothing, then neighbours become one, then consumers fold what stands before them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tvm import ir, relax, tirx
from tvm.sym import Analyzer

from foldproof.fold import correction
from foldproof.fold.bindings import Body, PrimPads, Use, has_pads
from foldproof.fold.facts import (
    Consumer,
    Folded,
    Kind,
    Options,
    Outcome,
    Padded,
    PadFacts,
    Rearranged,
    Refused,
    Site,
    Step,
)
from foldproof.fold.reader import PAD, data_of_pad, op_name, read_consumer, shape_of, squeezed_axes
from foldproof.fold.rules import Cancelled, Identity, decide, merge

RETURN = "return"
MOST_STEPS = 64
"""No pad is looked for after more steps: graphs have a handful, and each consumer reads its chain again."""
MOST_PRODUCERS = 4

Accepts = Callable[[Consumer], bool]
"""Whether a backend takes a consumer with the padding that it would get."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of one site: a pad (its variable) and one of its consumers (its op, and its variable)."""

    function: str
    pad: str
    consumer: str
    result: str
    outcome: Outcome

    def __str__(self) -> str:
        arrow = f"{self.function}: {self.pad} -> {self.consumer}" + (f" {self.result}" if self.result else "")
        if isinstance(self.outcome, Refused):
            return f"{arrow}: refused ({self.outcome.kind}): {self.outcome.detail}"
        return f"{arrow}: folded ({', '.join(_folded_to(self.outcome))})"


def _folded_to(outcome: Folded) -> Iterator[str]:
    yield outcome.rule
    if outcome.padding is not None:
        yield f"padding={list(outcome.padding)}"
    if outcome.kept is not None:
        yield f"a pad of {[width for sides in outcome.kept for width in sides]} stays"
    if outcome.channels is not None:
        yield "the weight without its first {} and last {} input channels".format(*outcome.channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folding:
    """One function being folded: whose pads, by which options, with which PrimFuncs being pads."""

    name: str
    prim_pads: PrimPads
    options: Options = field(default_factory=Options)
    accepts: Accepts | None = None


def fold_function(folding: Folding, function: relax.Function, *, explain: bool) -> tuple[relax.Function, list[Report]]:
    """The function with every foldable pad folded, and what became of each site (refusals only if ``explain``)."""
    reports: list[Report] = []
    if not has_pads(function.body, folding.prim_pads):
        return function, reports
    while True:
        function, body = _without_idle_pads(folding, function, reports)
        reports += _fold_consumers(folding, body)
        folded = body.rebuilt()
        if folded.same_as(function) or not any(_mergeable(body, pad) for pad in body.pads if pad not in body.dead):
            break
        function = folded  # what folded left a pad without its other reader: now it can join its neighbour
    if explain:
        reports += _refusals(folding, body)
    return folded, reports


# --- pads that do nothing, pads next to each other ----------------------------------------------------


def _without_idle_pads(
    folding: Folding, function: relax.Function, reports: list[Report]
) -> tuple[relax.Function, Body]:
    """Pads that do nothing go, pads of pads become one, what one adds and another crops goes; until none is left."""
    body = Body(function, folding.prim_pads)
    while True:
        found = [*_drop_identities(folding, body)]
        if found:
            function = body.rebuilt()
            body = Body(function, folding.prim_pads)
        merged = [*_merge_neighbours(folding, body), *_cancel_crops(folding, body)]
        reports += [*found, *merged]
        if not merged:
            return function, body
        function = body.rebuilt()
        body = Body(function, folding.prim_pads)


def _drop_identities(folding: Folding, body: Body) -> Iterator[Report]:
    """What reads a pad whose widths are all 0 reads its input."""
    for var in body.pads:
        pad = body.pad(var)
        if pad is not None and pad.is_identity and not body.in_place:
            body.aliases[var] = body.source(var)
            yield _report(body, folding, var, None, Identity.fold())


def _merge_neighbours(folding: Folding, body: Body) -> Iterator[Report]:
    for var in body.pads:
        while (found := _mergeable(body, var)) is not None:
            inner, pad = found
            body.replace(var, _pad_call(body.source(inner), pad, body.values[var], body.values[var].ty))
            yield _report(body, folding, inner, var, Folded("nested"))


def _cancel_crops(folding: Folding, body: Body) -> Iterator[Report]:
    """A crop takes away what a pad has added, through the steps between: neither is done."""
    for var in body.pads:
        while (found := _cancellable(body, var)) is not None:
            path, outcome, outer = found
            operand = _moved(body, path, outcome, var, {})
            body.replace(var, _pad_call(operand, outer, body.values[var], body.values[var].ty))
            yield _report(body, folding, path.pad, var, outcome)


def _cancellable(body: Body, var: relax.Var) -> tuple["Path", Folded, PadFacts] | None:
    """The path from a pad to one that crops what it adds; what of the first stays, and the second without that crop."""
    outer = body.pad(var)
    assert outer is not None
    if not _crops(outer) or var in body.dead or body.in_place:
        return None
    for path in _paths(body, body.source(var)):
        inner = body.step(path.pad)
        found = Cancelled.pads(inner[0], path.facts, outer) if inner and isinstance(inner[0], Padded) else None
        if found is not None and body.visible(body.source(path.pad), path.steps[0][0] if path.steps else var):
            smaller, outer = found
            return path, Folded("cancelled", kept=None if smaller.is_identity else smaller.widths), outer
    return None


def _mergeable(body: Body, var: relax.Var) -> tuple[relax.Var, PadFacts] | None:
    """The pad that ``var`` pads again, and the one pad that does both.

    A pad that others read stays for them, so that one pad for both saves none; unless ``var`` crops, which a transposed
    convolution does not take.
    """
    outer = body.pad(var)
    assert outer is not None
    if body.in_place:
        return None
    inner_var = body.alias(body.source(var))
    inner = body.pad(inner_var)
    if inner is None:
        return None
    if len(list(_through_aliases(body, inner_var))) != 1 and not _crops(outer):
        return None
    if not body.visible(body.source(inner_var), var):
        return None
    merged = merge(inner, outer)
    return None if isinstance(merged, Refused) else (inner_var, merged)


def _crops(pad: PadFacts) -> bool:
    return any(width < 0 for sides in pad.widths or () for width in sides)


def _pad_call(source: Any, pad: PadFacts, like: ir.Call, ty: Any) -> ir.Call:
    """A ``nn.pad`` of ``source`` with the facts of ``pad`` and the span of ``like``."""
    flat = [width for sides in pad.widths or () for width in sides]
    attrs = ir.make_node("relax.attrs.PadAttrs", pad_width=flat, pad_value=pad.value, pad_mode=pad.mode)
    return ir.Call(ir.Op.get(PAD), [source], attrs, [], like.span, ty)


# --- fold ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A pad, and the steps from it to a consumer: (variable, facts, which operand is the data), in that order."""

    pad: relax.Var
    steps: tuple[tuple[relax.Var, Step, int], ...]

    @property
    def facts(self) -> tuple[Step, ...]:
        return tuple(step for _, step, _ in self.steps)


def _fold_consumers(folding: Folding, body: Body) -> Iterator[Report]:
    """Fold before every consumer, again and again while a pad stands there."""
    moved: dict[tuple[Any, ...], relax.Var] = {}
    for consumer in body.consumers:
        var = consumer
        while found := _foldable(folding, body, var):
            path, outcome = found
            yield _report(body, folding, path.pad, var, outcome)
            var = _rewrite(body, var, _moved(body, path, outcome, var, moved), outcome)


def _foldable(folding: Folding, body: Body, consumer: relax.Var) -> tuple[Path, Folded] | None:
    """The nearest pad before a consumer that folds, and to what."""
    for path in _paths(body, body.values[consumer].args[0]):
        outcome = _decide(folding, body, path, (consumer, 0))
        if isinstance(outcome, Folded):
            return path, outcome
    return None


def _paths(body: Body, operand: Any) -> Iterator[Path]:
    """The pads before an operand, nearest first, each with the steps after it."""
    steps: tuple[tuple[relax.Var, Step, int], ...] = ()
    var = body.alias(operand)
    while isinstance(var, relax.Var) and len(steps) < MOST_STEPS:
        if body.pad(var) is not None:
            yield Path(pad=var, steps=steps)
        found = body.step(var)
        if found is None:
            return
        steps = ((var, *found), *steps)
        var = body.alias(_data_operand(body.values[var], found[1]))


def _data_operand(call: ir.Call, index: int) -> Any:
    return data_of_pad(call) if isinstance(call.args[0], ir.GlobalVar) else call.args[index]


def _decide(folding: Folding, body: Body, path: Path, use: Use) -> Outcome:
    """The rules' outcome for the use of what a path leads to, and the backend's."""
    user, operand = use
    call = body.values.get(user) if user is not None else None
    consumer = read_consumer(call, operand, _place(body, user), elements=folding.options.channels != "keep")
    pad = body.pad(path.pad)
    assert pad is not None
    source = body.source(path.pad)
    site = Site(
        pad=pad,
        steps=path.facts,
        producers=_producers(body, source) if consumer.family in _BOUNDED or _casts(path) else (),
        consumer=consumer,
        input_visible=body.visible(source, path.steps[0][0] if path.steps else user),
        overwritten=body.in_place,
    )
    outcome = decide(site, folding.options)
    if isinstance(outcome, Refused):
        return outcome
    assert call is not None  # pads that do nothing are gone, and only consumers fold the others
    return _refused_by_type(body, call, path, outcome) or _refused_by_backend(folding, consumer, outcome) or outcome


_BOUNDED = ("max_pool",)


def _casts(path: Path) -> bool:
    return any(step.op == "astype" for step in path.facts)


def _producers(body: Body, source: Any) -> tuple[Step, ...]:
    """The steps that made ``source``, in the order of execution."""
    producers: tuple[Step, ...] = ()
    var = body.alias(source)
    while isinstance(var, relax.Var) and len(producers) < MOST_PRODUCERS and (found := body.step(var)) is not None:
        producers = (found[0], *producers)
        var = body.alias(_data_operand(body.values[var], found[1]))
    return producers


def _refused_by_backend(folding: Folding, consumer: Consumer, outcome: Folded) -> Refused | None:
    assert outcome.padding is not None
    if folding.accepts is None or folding.accepts(replace(consumer, padding=outcome.padding)):
        return None
    return Refused(Kind.OPTION, f"the backend does not accept {consumer.op} with padding {list(outcome.padding)}")


def _refused_by_type(body: Body, call: ir.Call, path: Path, outcome: Folded) -> Refused | None:
    """Lengths that are symbolic must be proved equal; where all are numbers the rules have done the sum."""
    lengths = shape_of(call)
    if lengths is None and (outcome.border is not None or outcome.channels is not None):
        return Refused(Kind.SYMBOLIC, "the shape of the result is unknown, and with it that of the weight")
    if lengths is None or all(isinstance(length, int | tirx.IntImm) for length in lengths):
        return None
    operand = relax.Var("operand", _types(body, path, outcome)[-1])
    weights = call.args[1:]
    if outcome.channels:
        weights = [relax.Var("weight", _sliced(call, weights[0], outcome.channels).ty)]
    new = relax.BlockBuilder().normalize(_with_padding(call, operand, weights, outcome, ty=None))
    inferred, analyzer = shape_of(new), Analyzer()
    if inferred is not None and all(analyzer.can_prove_equal(a, b) for a, b in zip(lengths, inferred, strict=True)):
        return None
    return Refused(Kind.SYMBOLIC, f"the result would have shape {inferred}, which cannot be proved to be {lengths}")


# --- what moves ---------------------------------------------------------------------------------------


def _types(body: Body, path: Path, outcome: Folded) -> list[Any]:
    """Types of the tensors that take the place of the pad and of each step: as long as before, less what moves."""
    call, pad = body.values[path.pad], body.pad(path.pad)
    assert pad is not None
    assert pad.widths is not None
    kept = outcome.kept or ((0, 0),) * len(pad.widths)
    source = body.source(path.pad).ty
    moving = [sides != stays for sides, stays in zip(pad.widths, kept, strict=True)]
    lengths = shape_of(body.source(path.pad))
    if outcome.kept is not None:
        lengths = _mixed(_longer(lengths, kept), call, moving)
    types = [source if outcome.kept is None else _type(lengths, call.ty)]
    for var, step, _ in path.steps:
        if isinstance(step, Rearranged):
            moving = [axis is not None and moving[axis] for axis in step.origin]
            if lengths is not None:
                lengths = [1 if axis is None else lengths[axis] for axis in step.origin]
        elif isinstance(step, Padded):
            lengths = _longer(lengths, step.pad.widths or ())
        lengths = _mixed(lengths, body.values[var], moving)
        types.append(_type(lengths, body.values[var].ty))
    return types


def _longer(lengths: list[Any] | None, widths: tuple[tuple[int, int], ...]) -> list[Any] | None:
    if lengths is None:
        return None
    return [n + sum(sides) if any(sides) else n for n, sides in zip(lengths, widths, strict=True)]


def _mixed(lengths: list[Any] | None, old: Any, moving: list[bool]) -> list[Any] | None:
    """The given lengths along the axes that move, those of ``old`` along the others."""
    after = shape_of(old)
    if lengths is None or after is None:
        return None
    return [new if moves else length for new, length, moves in zip(lengths, after, moving, strict=True)]


def _type(lengths: list[Any] | None, like: Any) -> Any:
    if lengths is None:
        return relax.TensorType(None, like.dtype, like.vdevice, like.ndim)
    return relax.TensorType(relax.ShapeExpr(lengths), like.dtype, like.vdevice)


def _moved(
    body: Body, path: Path, outcome: Folded, consumer: relax.Var, moved: dict[tuple[Any, ...], relax.Var]
) -> Any:
    """What the consumer reads instead: the pad's input, or the smaller pad that stays, through the same steps.

    Each is bound once, right after what it stands for, however many consumers read it.
    """
    readers = [*(var for var, _, _ in path.steps), consumer]
    call, pad = body.values[path.pad], body.pad(path.pad)
    operand = body.source(path.pad)
    if outcome.kept is None and not path.steps:
        return operand
    assert pad is not None
    types = _types(body, path, outcome)
    if outcome.kept is not None:
        smaller = _pad_call(operand, replace(pad, widths=outcome.kept), call, types[0])
        operand = _bound(body, (path.pad.__chandle__(), outcome.kept), smaller, path.pad, readers[0], moved)
    for (var, step, index), ty, reader in zip(path.steps, types[1:], readers[1:], strict=True):
        again = _again(body, var, step, index, operand, ty)
        operand = _bound(body, (var.__chandle__(), operand.__chandle__()), again, var, reader, moved)
    return operand


def _bound(
    body: Body,
    key: tuple[Any, ...],
    value: ir.Call,
    like: relax.Var,
    reader: relax.Var,
    moved: dict[tuple[Any, ...], relax.Var],
) -> relax.Var:
    """A variable for ``value`` after ``like``: local to a dataflow block only if ``reader``, by an alias, is too."""
    local = isinstance(like, relax.DataflowVar) and body.visible(like, reader)
    key = (*key, local)
    if key not in moved:
        moved[key] = (relax.DataflowVar if local else relax.Var)(like.name, value.ty)
        body.add(moved[key], value, after=like)
    return moved[key]


def _again(body: Body, var: relax.Var, step: Step, index: int, operand: Any, ty: Any) -> ir.Call:
    """The step on the tensor that is not padded yet."""
    call = body.values[var]
    pad = body.pad(var)
    if pad is not None:
        return _pad_call(operand, pad, call, ty)
    args = [operand if i == index else arg for i, arg in enumerate(call.args)]
    attrs = call.attrs
    if step.op == "reshape":
        args[1] = ty.shape
    elif step.op == "squeeze":  # by name, since more axes have length 1 without the pad
        attrs = ir.make_node("relax.attrs.SqueezeAttrs", axis=squeezed_axes(call))
    return ir.Call(call.op, args, attrs, call.ty_args, call.span, ty)


# --- the consumer -------------------------------------------------------------------------------------


def _rewrite(body: Body, consumer: relax.Var, operand: Any, outcome: Folded) -> relax.Var:
    """Bind the consumer's variable to the fold: the op with its new padding, and the correction if there is one.

    The variable that the op is bound to then, before which more pads may stand.
    """
    call = body.values[consumer]
    weights = call.args[1:]
    if outcome.channels is not None:
        weights[0] = body.precede("weight", _sliced(call, weights[0], outcome.channels), before=consumer)
    folded = _with_padding(call, operand, weights, outcome, ty=call.ty)
    if outcome.border is not None:
        term = correction.term(call, outcome.border, outcome.padding or (), body.value(weights[0]))
        result = body.precede(consumer.name, folded, before=consumer)
        if isinstance(term, ir.Call):
            term = body.precede("correction", term, before=consumer)
        body.replace(consumer, ir.Call(ir.Op.get("relax.add"), [result, term], None, [], call.span, call.ty))
        return result
    body.replace(consumer, folded)
    return consumer


def _with_padding(call: ir.Call, operand: Any, weights: Any, outcome: Folded, *, ty: Any) -> ir.Call:
    """The consumer reading ``operand``; all but its padding (and an average pool's flag) is kept."""
    attrs = {f.name: getattr(call.attrs, f.name) for f in type(call.attrs).__tvm_ffi_type_info__.fields}
    attrs["padding"] = list(outcome.padding or ())
    if outcome.count_include_pad is not None:
        attrs["count_include_pad"] = outcome.count_include_pad
    node = ir.make_node(call.op.attrs_type_key, **attrs)
    return ir.Call(call.op, [operand, *weights], node, call.ty_args, call.span, ty)


def _sliced(call: ir.Call, weight: Any, channels: tuple[int, int]) -> ir.Call:
    """The weight without the input channels that met only zeros."""
    axis = str(call.attrs.kernel_layout).index("I")
    lengths = list(weight.ty.shape.values)
    begin, end = channels[0], lengths[axis] - channels[1]
    new = relax.op.strided_slice(weight, axes=[axis], begin=[begin], end=[end])
    ty = _type([*lengths[:axis], end - begin, *lengths[axis + 1 :]], weight.ty)
    return ir.Call(new.op, new.args, new.attrs, new.ty_args, call.span, ty)


# --- report -------------------------------------------------------------------------------------------


def _refusals(folding: Folding, body: Body) -> Iterator[Report]:
    """Every use of every pad that is left, and why the pad stays before it."""
    for var in body.pads:
        if var in body.dead:
            continue
        for path, use in _uses(body, Path(pad=var, steps=())):
            outcome = _decide(folding, body, path, use)
            if isinstance(outcome, Refused):
                yield _report(body, folding, var, use[0], outcome)


def _uses(body: Body, path: Path) -> Iterator[tuple[Path, Use]]:
    """(path, use) for every use at the end of a path: steps whose result nothing reads are uses themselves."""
    end = path.steps[-1][0] if path.steps else path.pad
    for user, operand in _through_aliases(body, end):
        found = body.step(user) if user is not None and user not in body.dead else None
        if user is not None and found is not None and _is_data(body, user, found[1], end, operand):
            longer = Path(pad=path.pad, steps=(*path.steps, (user, *found)))
            if len(longer.steps) < MOST_STEPS and (after := list(_uses(body, longer))):
                yield from after
                continue
        yield path, (user, operand)


def _is_data(body: Body, user: relax.Var, index: int, var: relax.Var, operand: int) -> bool:
    """Whether ``var`` is what the step works on, and not another operand of it."""
    return operand == index and bool(body.alias(_data_operand(body.values[user], index)).same_as(var))


def _through_aliases(body: Body, var: relax.Var) -> Iterator[Use]:
    names = [var]
    while names:
        for user, operand in body.users(names.pop(0)):
            if user is not None and isinstance(body.values.get(user), relax.Var):
                names.append(user)
            elif user is None or user not in body.dead:
                yield user, operand


def _place(body: Body, user: relax.Var | None) -> str:
    """What stands at a use that is no operator: the return, a match_cast, a tuple, ..."""
    if user is None:
        return RETURN
    value = body.values.get(user)
    return "match_cast" if value is None else type(value).__name__.lower()


def _report(body: Body, folding: Folding, pad: relax.Var, use: relax.Var | None, outcome: Outcome) -> Report:
    """``use`` is the variable of the consumer, None for the return, or for any consumer of a pad that is deleted."""
    operator = op_name(body.values.get(use)) if use is not None else ""
    consumer = operator.removeprefix("relax.").removeprefix("nn.") or _place(body, use)
    return Report(
        function=folding.name,
        pad=pad.name,
        consumer="any" if isinstance(outcome, Folded) and use is None else consumer,
        result=use.name if use is not None else "",
        outcome=outcome,
    )
