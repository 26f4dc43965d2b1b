"""Fold the pads of one Relax function. The rules decide; this module only moves IR.

    lv = nn.pad(x)              lv1 = relu(x)
    lv1 = relu(lv)       ->     lv2 = conv2d(lv1, w, padding=own + widths)
    lv2 = conv2d(lv1, w)

First go the pads that have no effect, then neighbours become one, then consumers fold the pads before them. Where the
one pad would not fold whole, consumers fold what they can of two pads before these become one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tvm import ir, relax, tirx
from tvm.sym import Analyzer

from foldproof.fold import moves, paths, replacement
from foldproof.fold.backend import describe_folded
from foldproof.fold.bindings import Bindings, PrimKernels, PrimPads, Use
from foldproof.fold.crossing import find_copy_writer, find_writer
from foldproof.fold.effects import Effects
from foldproof.fold.facts import Consumer, Folded, Kind, Options, Outcome, PadFacts, Refused, Site
from foldproof.fold.joined_pads import find_joined
from foldproof.fold.obstacles import join_refusals, name_obstacle
from foldproof.fold.paths import Path, find_producers, find_uses
from foldproof.fold.propagation import list_ops
from foldproof.fold.reader import op_name, read_consumer, read_operand_types, shape_of
from foldproof.fold.rebuild import rebuild
from foldproof.fold.report import Report, name_place, report_site
from foldproof.fold.rules import decide, list_outcomes
from foldproof.fold.shared_pads import refuse_sharing, was_refused
from foldproof.fold.simplification import find_cancellation, find_merge, merge_all, simplify_pads

Accepts = Callable[[Consumer], bool]
"""Return whether a backend takes a consumer as it would be after the fold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folding:
    """The settings of a fold of one function: its name, the PrimFuncs that are pads, the options, the module's effects.

    Without ``effects``, nothing is known to write."""

    name: str
    prim_pads: PrimPads
    kernels: PrimKernels = lambda _: None
    options: Options = field(default_factory=Options)
    accepts: Accepts | None = None
    effects: Effects | None = None


def fold_function(folding: Folding, function: relax.Function, *, explain: bool) -> tuple[relax.Function, list[Report]]:
    """Return a function with pads with every foldable one folded, and each outcome (refusals if ``explain``)."""
    reports: list[Report] = []
    fold_first = partial(_fold_before_merging, folding)
    while True:
        function, bindings = simplify_pads(
            folding.name,
            function,
            folding.prim_pads,
            reports,
            fold_first,
            folding.kernels,
            folding.effects,
            explain=explain,
        )
        reports += _fold_consumers(folding, bindings, _find_fold)
        folded = rebuild(bindings)
        if folded.same_as(function) or not _goes_on(bindings):
            break
        function = folded  # what folded left a pad without its other reader: now it can join its neighbour
    if explain:
        reports += _explain_refusals(folding, bindings)
    return folded, reports


def _goes_on(bindings: Bindings) -> bool:
    """Return whether pads that have lost a reader can become one now, or fold without leaving another pad."""
    if was_refused(bindings):
        return True
    alive = [pad for pad in bindings.pads if pad not in bindings.dead]
    merges = any(find_merge(bindings, pad) or find_cancellation(bindings, pad) for pad in alive)
    return merges or any(find_joined(bindings, var) for var in bindings.joining)


FindFold = Callable[[Folding, Bindings, relax.Var], tuple[Path, Folded] | None]
"""Return a pad before a consumer that folds, and its outcome."""


def _fold_consumers(folding: Folding, bindings: Bindings, find: FindFold) -> Iterator[Report]:
    """Fold the pads before every consumer, until ``find`` finds none that folds."""
    moved: dict[tuple[Any, ...], relax.Var] = {}
    for consumer in bindings.consumers:
        var = consumer
        while found := find(folding, bindings, var):
            path, outcome = found
            yield report_site(bindings, folding.name, path.pad, var, outcome)
            var = replacement.rewrite_consumer(
                bindings, var, moves.move_operand(bindings, path, outcome, var, moved), outcome
            )


def _fold_before_merging(folding: Folding, bindings: Bindings) -> list[Report]:
    """Fold pads that would not fold whole as the one pad that they become with their neighbours.

    The nearer of two pads may fold alone, where a backend or a rule refuses what both make together.
    """
    return [*_fold_consumers(folding, bindings, _find_lost_fold)]


def _find_lost_fold(folding: Folding, bindings: Bindings, consumer: relax.Var) -> tuple[Path, Folded] | None:
    """Return the nearest pad before a consumer that folds, but would not fold whole after it is merged."""
    for path in paths.find_paths(bindings, bindings.values[consumer].args[0]):
        pad = bindings.pad(path.pad)
        merged = merge_all(bindings, path.pad)
        if merged is None or pad is None or pad.is_identity or merged[1].is_identity:
            continue
        first, both = merged
        if _removes(pad, both):
            continue
        outcome = _decide(folding, bindings, path, (consumer, 0))
        if isinstance(outcome, Folded) and not _folds_whole(
            folding, bindings, path, (consumer, 0), both, bindings.source(first)
        ):
            return path, outcome
    return None


def _removes(pad: PadFacts, both: PadFacts) -> bool:
    """Return whether the pad crops what the pads before it add: to merge them is the better fold."""
    sides = zip(pad.widths or (), both.widths or (), strict=True)
    return any(own < 0 and sum_ > own for pair in sides for own, sum_ in zip(*pair, strict=True))


def _folds_whole(folding: Folding, bindings: Bindings, path: Path, use: Use, pad: PadFacts, source: Any) -> bool:
    """Return whether all folds of ``pad`` of ``source`` that a backend without limits would accept."""
    outcome = _decide(folding, bindings, path, use, pad, source)
    options = replace(folding.options, allow_asymmetric=True, allow_negative=True)
    unlimited = replace(folding, options=options, accepts=None)
    return isinstance(outcome, Folded) and outcome == _decide(unlimited, bindings, path, use, pad, source)


def _find_fold(folding: Folding, bindings: Bindings, consumer: relax.Var) -> tuple[Path, Folded] | None:
    """Return the nearest pad before a consumer that folds, and its outcome."""
    for path in paths.find_paths(bindings, bindings.values[consumer].args[0]):
        outcome = _decide(folding, bindings, path, (consumer, 0))
        if isinstance(outcome, Folded):
            return path, outcome
    return None


def _decide(
    folding: Folding,
    bindings: Bindings,
    path: Path,
    use: Use,
    pad: PadFacts | None = None,
    source: Any = None,
) -> Outcome:
    """Return the outcome for a use at the end of a path: of the rules, of the backend, then of other readers.

    ``pad`` and ``source`` replace the pad of the path, and what it pads. No other reader is asked about them.
    """
    outcome = _decide_alone(folding, bindings, path, use, pad, source)
    if isinstance(outcome, Refused) or pad is not None:
        return outcome
    alone = partial(_decide_alone, folding, bindings)
    return refuse_sharing(bindings, path, outcome, alone, partial(_name_reader, bindings)) or outcome


def _name_reader(bindings: Bindings, use: Use) -> str:
    name = op_name(bindings.values.get(use[0])) if use[0] is not None else ""
    reader = name.removeprefix("relax.").removeprefix("nn.") or name_place(bindings, use[0])
    return reader if use[0] is None else f"{reader} {use[0].name}"


def _decide_alone(
    folding: Folding,
    bindings: Bindings,
    path: Path,
    use: Use,
    pad: PadFacts | None = None,
    source: Any = None,
) -> Outcome:
    """Return the outcome of the rules for a use at the end of a path, and then of the backend.

    ``pad`` and ``source`` replace the pad of the path, and what it pads.
    """
    user, operand = use
    call = bindings.values.get(user) if user is not None else None
    consumer = read_consumer(call, operand, name_place(bindings, user), elements=folding.options.channels != "keep")
    if pad is None:
        pad, source = bindings.pad(path.pad), bindings.source(path.pad)
    assert pad is not None
    bounded = consumer.family in _BOUNDED or _casts(path)
    producers, produced_from = find_producers(bindings, source) if bounded else ((), "")
    writer = (
        find_copy_writer(bindings, path.pad)
        if pad.is_identity
        else find_writer(bindings, path, user, producers=len(producers), source=source)
    )
    site = Site(
        pad=pad,
        steps=path.facts,
        producers=producers,
        produced_from=produced_from,
        consumer=consumer,
        input_visible=bindings.visible(source, path.steps[0][0] if path.steps else user),
        overwritten=bool(writer),
        writer=writer,
    )
    outcome = decide(site, folding.options)
    if isinstance(outcome, Refused):
        return outcome
    assert call is not None  # pads that do nothing are gone, and only consumers fold the others
    refused = _refuse_by_type(bindings, call, path, outcome)
    if refused is not None:
        return refused
    refused = _refuse_by_backend(folding, consumer, call, outcome)
    if refused is None:
        return outcome
    others = (each for each in list_outcomes(site, folding.options) if isinstance(each, Folded) and each != outcome)
    for fewer in others:  # the backend may accept some of the axes
        if not (_refuse_by_type(bindings, call, path, fewer) or _refuse_by_backend(folding, consumer, call, fewer)):
            return fewer
    return refused


_BOUNDED = ("max_pool",)

_NUMBERS = (tirx.IntImm, int)


def _casts(path: Path) -> bool:
    return any(op == "astype" for step in path.facts for op in list_ops(step))


def _refuse_by_backend(folding: Folding, consumer: Consumer, call: ir.Call, outcome: Folded) -> Refused | None:
    """Refuse a folded op that the function ``accepts`` rejects."""
    if folding.accepts is None:
        return None
    folded = describe_folded(read_operand_types(consumer, call), outcome)
    if folding.accepts(folded):
        return None
    return Refused(Kind.OPTION, f"the backend does not accept {consumer.op} with padding {list(folded.padding)}")


def _refuse_by_type(bindings: Bindings, call: ir.Call, path: Path, outcome: Folded) -> Refused | None:
    """Refuse a result whose symbolic lengths are not proved equal. The rules have compared constant lengths."""
    lengths = shape_of(call)
    if lengths is None and (outcome.border is not None or outcome.channels is not None):
        return Refused(Kind.SYMBOLIC, "the shape of the result is unknown, and with it that of the weight")
    if lengths is None or all(isinstance(length, _NUMBERS) for length in lengths):
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
    """Report every reader of every pad that is left, with its refusal. A pad read twice by one op is one line.

    Pads that are not understood come last.
    """
    for var in bindings.pads:
        if var in bindings.dead or var in bindings.crops:
            continue
        found: dict[int, tuple[Use, list[Refused]]] = {}
        for path, use in find_uses(bindings, Path(pad=var, steps=())):
            outcome = _decide(folding, bindings, path, use)
            if isinstance(outcome, Refused):
                found.setdefault(_key(use[0]), (use, []))[1].append(name_obstacle(bindings, path, use, outcome))
        for use, refusals in found.values():
            yield report_site(bindings, folding.name, var, use[0], join_refusals(refusals))
    for var, refused in bindings.unknown:
        readers = (use for _, use in find_uses(bindings, Path(pad=var, steps=())))
        for user in {_key(user): user for user, _ in readers}.values():
            yield report_site(bindings, folding.name, var, user, refused)


def _key(user: relax.Var | None) -> int:
    """Return a key of a reader; None is the return of the function."""
    return 0 if user is None else user.__chandle__()
