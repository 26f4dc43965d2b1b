"""Pads that are removed before consumers fold: identities, nested pads, and widths that a crop cancels."""

from collections.abc import Callable, Iterator

from tvm import relax

from foldproof.fold import moves, paths
from foldproof.fold.bindings import Bindings, PrimKernels, PrimPads
from foldproof.fold.crossing import find_copy_writer, find_writer
from foldproof.fold.effects import Effects
from foldproof.fold.facts import Folded, Padded, PadFacts, Refused
from foldproof.fold.joined_pads import find_joined, join_pads
from foldproof.fold.pad_pairs import Cancelled
from foldproof.fold.paths import Path, find_users, find_uses
from foldproof.fold.rebuild import rebuild
from foldproof.fold.report import Report, report_site
from foldproof.fold.rules import Identity, merge

FoldFirst = Callable[[Bindings], list[Report]]
"""Fold pads whose fold would be lost if they were merged with others, and return the reports."""


def simplify_pads(
    name: str,
    function: relax.Function,
    prim_pads: PrimPads,
    reports: list[Report],
    fold_first: FoldFirst,
    kernels: PrimKernels = lambda _: None,
    effects: Effects | None = None,
    *,
    explain: bool = True,
) -> tuple[relax.Function, Bindings]:
    """Delete identities, merge nested pads and cancel crops, until none is left.

    ``fold_first`` folds pads that would not fold after they are merged.
    """
    bindings = Bindings(function, prim_pads, kernels, effects, explain=explain)
    while True:
        found = [*_drop_identities(name, bindings)]
        if found:
            function = rebuild(bindings)
            bindings = Bindings(function, prim_pads, kernels, effects, explain=explain)
        merges = any(find_merge(bindings, pad) for pad in bindings.pads)
        if merges and (before := fold_first(bindings)):
            found += before
            function = rebuild(bindings)
            bindings = Bindings(function, prim_pads, kernels, effects, explain=explain)
        nested = _merge_nested(name, bindings) if merges else ()
        merged = [*nested, *_cancel_crops(name, bindings), *_join_alike(name, bindings)]
        reports += [*found, *merged]
        if not merged:
            return function, bindings
        function = rebuild(bindings)
        bindings = Bindings(function, prim_pads, kernels, effects, explain=explain)


def _drop_identities(name: str, bindings: Bindings) -> Iterator[Report]:
    """Let the readers of a pad whose widths are all 0 read its input."""
    for var in bindings.pads:
        pad = bindings.pad(var)
        if pad is not None and pad.is_identity and not find_copy_writer(bindings, var):
            bindings.aliases[var] = bindings.source(var)
            yield report_site(bindings, name, var, None, Identity.fold())


def _merge_nested(name: str, bindings: Bindings) -> Iterator[Report]:
    """Merge pads of pads."""
    for var in bindings.pads:
        while (found := find_merge(bindings, var)) is not None:
            inner, pad = found
            bindings.replace(
                var, moves.build_pad(bindings.source(inner), pad, bindings.values[var], bindings.values[var].ty)
            )
            yield report_site(bindings, name, inner, var, Folded("nested"))


def _join_alike(name: str, bindings: Bindings) -> Iterator[Report]:
    """Move pads alike behind the op that reads them."""
    for var in bindings.joining:
        found = find_joined(bindings, var)
        if found is not None:
            pads, pad = found
            reports = [report_site(bindings, name, one, var, Folded("joined")) for one in pads]
            join_pads(bindings, var, pads, pad)
            yield from reports


def _cancel_crops(name: str, bindings: Bindings) -> Iterator[Report]:
    """Remove from a pad and a later crop, with steps between, the elements that one adds and the other crops."""
    for var in bindings.pads:
        while (found := find_cancellation(bindings, var)) is not None:
            path, outcome, outer = found
            operand = moves.move_operand(bindings, path, outcome, var, {})
            bindings.replace(var, moves.build_pad(operand, outer, bindings.values[var], bindings.values[var].ty))
            yield report_site(bindings, name, path.pad, var, outcome)


def find_cancellation(bindings: Bindings, var: relax.Var) -> tuple[Path, Folded, PadFacts] | None:
    """Return the path from a pad to a crop of what it adds, the outcome, and the rest of the crop."""
    outer = bindings.pad(var)
    assert outer is not None
    if not _crops(outer) or var in bindings.dead:
        return None
    for path in paths.find_paths(bindings, bindings.source(var)):
        inner = bindings.step(path.pad)
        found = Cancelled.cancel(inner[0], path.facts, outer) if inner and isinstance(inner[0], Padded) else None
        if found is not None and bindings.visible(bindings.source(path.pad), path.steps[0][0] if path.steps else var):
            smaller, outer = found
            if _leaves_more(bindings, path.pad, var, smaller, outer):
                return None
            if find_writer(bindings, path, var) or (outer.is_identity and find_copy_writer(bindings, var)):
                return None
            return path, Folded("cancelled", kept=None if smaller.is_identity else smaller.widths), outer
    return None


def _leaves_more(bindings: Bindings, pad: relax.Var, crop: relax.Var, smaller: PadFacts, rest: PadFacts) -> bool:
    """Return whether there would be more pads than before: the pad for its other readers, ``smaller`` and ``rest``.

    A slice is not a pad, but what is left of it becomes one.
    """
    staying = (not smaller.is_identity) + (not rest.is_identity)
    if staying <= (crop not in bindings.crops):
        return False
    own = _own_split(bindings, crop)
    for path, (user, _) in find_uses(bindings, Path(pad=pad, steps=())):
        met = [user, *(var for var, _, _ in path.steps)]
        if not any(var is not None and (var.same_as(crop) or var.same_as(own)) for var in met):
            return True
    return False


def _own_split(bindings: Bindings, crop: relax.Var) -> relax.Var | None:
    """Return the ``split`` of which ``crop`` is the only piece that is read; None for any other crop."""
    value = bindings.values.get(crop)
    if not isinstance(value, relax.TupleGetItem):
        return None
    split = bindings.alias(value.tuple_value)
    readers = [user for user, _ in find_users(bindings, split)]
    return split if len(readers) == 1 and readers[0] is not None and readers[0].same_as(crop) else None


def find_merge(bindings: Bindings, var: relax.Var) -> tuple[relax.Var, PadFacts] | None:
    """Return the pad that ``var`` pads again, and the one pad that does both.

    A pad that others read stays for them, so that one pad for both saves nothing. Except if ``var`` crops, which does
    not fold into a transposed convolution. A slice of such a pad would become one more pad.
    """
    outer = bindings.pad(var)
    assert outer is not None
    return _merge_inner(bindings, var, outer, user=var)


def merge_all(bindings: Bindings, var: relax.Var) -> tuple[relax.Var, PadFacts] | None:
    """Return the one pad that does what ``var`` and the pads before it do, with the first of them; None if alone."""
    found, outer = None, bindings.pad(var)
    at = var
    while outer is not None and (more := _merge_inner(bindings, at, outer, user=var)) is not None:
        found = at, outer = more
    return found


def _merge_inner(
    bindings: Bindings, var: relax.Var, outer: PadFacts, *, user: relax.Var
) -> tuple[relax.Var, PadFacts] | None:
    """Return the pad that ``var`` reads, and one pad for it and ``outer``, bound as ``user``."""
    inner_var = bindings.alias(bindings.source(var))
    inner = bindings.pad(inner_var)
    if inner is None:
        return None
    shared = len(list(find_users(bindings, inner_var))) != 1
    if shared and not _crops(outer):
        return None
    if not bindings.visible(bindings.source(inner_var), user):
        return None
    if var in bindings.crops and not _share_an_axis(inner, outer):
        return None  # a slice stays a slice, which the pad passes
    merged = merge(inner, outer)
    if isinstance(merged, Refused) or (shared and var in bindings.crops and not merged.is_identity):
        return None
    if find_writer(bindings, Path(pad=inner_var, steps=()), var):
        return None
    if merged.is_identity and find_copy_writer(bindings, user):
        return None  # TVM may make a view of a pad of no width, but not of the two
    return inner_var, merged


def _crops(pad: PadFacts) -> bool:
    return any(width < 0 for sides in pad.widths or () for width in sides)


def _share_an_axis(inner: PadFacts, outer: PadFacts) -> bool:
    return any(any(a) and any(b) for a, b in zip(inner.widths or (), outer.widths or (), strict=True))
