"""Fold the pads of one Relax function. The rules decide; this module only moves IR.

    lv = nn.pad(x)              lv1 = relu(x)
    lv1 = relu(lv)       ->     lv2 = conv2d(lv1, w, padding=own + widths)
    lv2 = conv2d(lv1, w)

First go the pads that have no effect, then neighbours become one, then consumers fold the pads before them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tvm import ir, relax, tirx
from tvm.sym import Analyzer

from foldproof.fold import moves, paths, replacement
from foldproof.fold.bindings import Bindings, PrimPads, Use, has_pads
from foldproof.fold.crossing import find_copy_writer, find_writer
from foldproof.fold.effects import Effects
from foldproof.fold.facts import Consumer, Folded, Kind, Options, Outcome, Refused, Site
from foldproof.fold.paths import Path, find_producers, find_uses
from foldproof.fold.reader import read_consumer, shape_of
from foldproof.fold.rebuild import rebuild
from foldproof.fold.report import Report, name_place, report_site
from foldproof.fold.rules import decide
from foldproof.fold.simplification import find_merge, simplify_pads

Accepts = Callable[[Consumer], bool]
"""Return whether a backend takes a consumer with the padding that it would get."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folding:
    """The settings of a fold of one function: its name, the PrimFuncs that are pads, the options, the module's effects.

    Without ``effects``, nothing is known to write."""

    name: str
    prim_pads: PrimPads
    options: Options = field(default_factory=Options)
    accepts: Accepts | None = None
    effects: Effects | None = None


def fold_function(folding: Folding, function: relax.Function, *, explain: bool) -> tuple[relax.Function, list[Report]]:
    """Return the function with every foldable pad folded, and the outcome of each site (refusals if ``explain``)."""
    reports: list[Report] = []
    if not has_pads(function.body, folding.prim_pads):
        return function, reports
    while True:
        function, bindings = simplify_pads(folding.name, function, folding.prim_pads, reports, folding.effects)
        reports += _fold_consumers(folding, bindings)
        folded = rebuild(bindings)
        if folded.same_as(function) or not any(
            find_merge(bindings, pad) for pad in bindings.pads if pad not in bindings.dead
        ):
            break
        function = folded  # what folded left a pad without its other reader: now it can join its neighbour
    if explain:
        reports += _explain_refusals(folding, bindings)
    return folded, reports


def _fold_consumers(folding: Folding, bindings: Bindings) -> Iterator[Report]:
    """Fold the pads before every consumer, until no pad before it folds."""
    moved: dict[tuple[Any, ...], relax.Var] = {}
    for consumer in bindings.consumers:
        var = consumer
        while found := _find_fold(folding, bindings, var):
            path, outcome = found
            yield report_site(bindings, folding.name, path.pad, var, outcome)
            var = replacement.rewrite_consumer(
                bindings, var, moves.move_operand(bindings, path, outcome, var, moved), outcome
            )


def _find_fold(folding: Folding, bindings: Bindings, consumer: relax.Var) -> tuple[Path, Folded] | None:
    """Return the nearest pad before a consumer that folds, and its outcome."""
    for path in paths.find_paths(bindings, bindings.values[consumer].args[0]):
        outcome = _decide(folding, bindings, path, (consumer, 0))
        if isinstance(outcome, Folded):
            return path, outcome
    return None


def _decide(folding: Folding, bindings: Bindings, path: Path, use: Use) -> Outcome:
    """Return the outcome of the rules for a use at the end of a path, and then of the backend."""
    user, operand = use
    call = bindings.values.get(user) if user is not None else None
    consumer = read_consumer(call, operand, name_place(bindings, user), elements=folding.options.channels != "keep")
    pad = bindings.pad(path.pad)
    assert pad is not None
    source = bindings.source(path.pad)
    producers = find_producers(bindings, source) if consumer.family in _BOUNDED or _casts(path) else ()
    writer = (
        find_copy_writer(bindings, path.pad)
        if pad.is_identity
        else find_writer(bindings, path, user, producers=len(producers))
    )
    site = Site(
        pad=pad,
        steps=path.facts,
        producers=producers,
        consumer=consumer,
        input_visible=bindings.visible(source, path.steps[0][0] if path.steps else user),
        overwritten=bool(writer),
        writer=writer,
    )
    outcome = decide(site, folding.options)
    if isinstance(outcome, Refused):
        return outcome
    assert call is not None  # pads that do nothing are gone, and only consumers fold the others
    return _refuse_by_type(bindings, call, path, outcome) or _refuse_by_backend(folding, consumer, outcome) or outcome


_BOUNDED = ("max_pool",)


def _casts(path: Path) -> bool:
    return any(step.op == "astype" for step in path.facts)


def _refuse_by_backend(folding: Folding, consumer: Consumer, outcome: Folded) -> Refused | None:
    """Refuse padding that the function ``accepts`` rejects."""
    assert outcome.padding is not None
    if folding.accepts is None or folding.accepts(replace(consumer, padding=outcome.padding)):
        return None
    return Refused(Kind.OPTION, f"the backend does not accept {consumer.op} with padding {list(outcome.padding)}")


def _refuse_by_type(bindings: Bindings, call: ir.Call, path: Path, outcome: Folded) -> Refused | None:
    """Refuse a result whose symbolic lengths are not proved equal. The rules have compared constant lengths."""
    lengths = shape_of(call)
    if lengths is None and (outcome.border is not None or outcome.channels is not None):
        return Refused(Kind.SYMBOLIC, "the shape of the result is unknown, and with it that of the weight")
    if lengths is None or all(isinstance(length, int | tirx.IntImm) for length in lengths):
        return None
    operand = relax.Var("operand", moves.infer_types(bindings, path, outcome)[-1])
    weights = call.args[1:]
    if outcome.channels:
        weights = [relax.Var("weight", replacement.slice_weight(call, weights[0], outcome.channels).ty)]
    new = relax.BlockBuilder().normalize(replacement.replace_padding(call, operand, weights, outcome, ty=None))
    inferred, analyzer = shape_of(new), Analyzer()
    if inferred is not None and all(analyzer.can_prove_equal(a, b) for a, b in zip(lengths, inferred, strict=True)):
        return None
    return Refused(Kind.SYMBOLIC, f"the result would have shape {inferred}, which cannot be proved to be {lengths}")


def _explain_refusals(folding: Folding, bindings: Bindings) -> Iterator[Report]:
    """Report every use of every pad that is left, with its refusal."""
    for var in bindings.pads:
        if var in bindings.dead:
            continue
        for path, use in find_uses(bindings, Path(pad=var, steps=())):
            outcome = _decide(folding, bindings, path, use)
            if isinstance(outcome, Refused):
                yield report_site(bindings, folding.name, var, use[0], outcome)
