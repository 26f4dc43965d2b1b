"""Folds that would leave more pads than before, since others read the pad, too.

    lv = nn.pad(x, (1, 0, 0, 0, 1, 1))            lv = nn.pad(x, (1, 0, 0, 0, 1, 1))
    gv = conv1d(lv, w)                    ->      lv1 = nn.pad(x, (1, 0, 0, 0, 0, 0))
    return (gv, lv)                               gv = conv1d(lv1, w, padding=(1, 1))
                                                  return (gv, lv)

A pad of the batch stays before the convolution, and the first pad stays for its other reader. So there would be two
pads instead of one.

1. If a fold keeps a smaller pad, every reader that does not fold whole keeps the same one: it replaces the first.
2. If the path from the pad leads through another pad, all that read the other one fold the first in the same way.

What the readers of one pad make of it is decided once, so that time is linear in the number of readers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tvm import relax

from foldproof.fold.bindings import Bindings, Use
from foldproof.fold.facts import Folded, Kind, Outcome, Padded, Refused, Widths
from foldproof.fold.paths import Path, find_uses
from foldproof.fold.varmap import VarMap

Decide = Callable[[Path, Use], Outcome]
"""Return the outcome at the end of a path, whoever else reads the pad."""

Kept = tuple[Widths, ...] | None
"""The widths that a fold keeps, None if it keeps none."""


@dataclass(slots=True)
class Sharing:
    """How the readers of one pad fold it, without a fold that would leave more pads.

    Args:
        kept: the widths that every reader keeps that does not fold whole; None if there is no such reader.
        other: a reader that needs another pad than ``kept``; '' if there is none.
        doubled: the pads between that would be there twice, each with a reader that needs it as it is.
    """

    kept: Kept = None
    other: str = ""
    doubled: VarMap[str] = field(default_factory=VarMap)


def refuse_sharing(
    bindings: Bindings, path: Path, outcome: Folded, decide: Decide, name: Callable[[Use], str]
) -> Refused | None:
    """Refuse a fold that would leave more pads than before.

    Args:
        bindings: the function.
        path: the pad, and the steps to the consumer.
        outcome: the fold.
        decide: what other readers make of the pad.
        name: the words for a reader.
    """
    between = [var for var, step, _ in path.steps if isinstance(step, Padded) and var not in bindings.crops]
    if outcome.kept is None and not between:
        return None
    if path.pad not in bindings.shared:
        bindings.shared[path.pad] = _share(bindings, path.pad, decide, name)
    sharing = bindings.shared[path.pad]
    if sharing is None:
        return None
    for var in between:
        if var in sharing.doubled:
            text = f"the pad {var.name} between would be there twice: {sharing.doubled[var]} reads it, too"
            return Refused(Kind.SHARED, text)
    if outcome.kept is None or (not sharing.other and outcome.kept == sharing.kept):
        return None
    flat = [width for sides in outcome.kept for width in sides]
    reader = sharing.other or "another op"
    return Refused(Kind.SHARED, f"a pad of {flat} would stay beside this one, which {reader} reads, too")


def was_refused(bindings: Bindings) -> bool:
    """Return whether a fold may have been refused because of another reader, which may be gone now."""
    return any(found is not None and (found.other or found.doubled) for _, found in bindings.shared.items())


@dataclass(slots=True)
class _Reader:
    """One use of a pad. It folds, and keeps ``kept``, or needs the pad as it is."""

    path: Path
    use: Use
    folds: bool
    kept: Kept

    @property
    def needs(self) -> tuple[bool, Kept]:
        return self.folds, self.kept


def _share(bindings: Bindings, pad: relax.Var, decide: Decide, name: Callable[[Use], str]) -> Sharing | None:
    """Return how the readers of a pad fold it; None if there is only one."""
    reads = list(find_uses(bindings, Path(pad=pad, steps=())))
    if len(reads) < 2:
        return None
    readers = []
    for path, use in reads:
        outcome = decide(path, use)
        kept = outcome.kept if isinstance(outcome, Folded) else None
        readers.append(_Reader(path, use, isinstance(outcome, Folded), kept))
    sharing = Sharing()
    for var, through in _list_between(bindings, readers):
        if len({reader.needs for reader in through}) > 1:
            sharing.doubled[var] = name(_pick_other(through).use)
            for reader in through:
                reader.folds, reader.kept = False, None
    staying = [reader for reader in readers if not reader.folds or reader.kept is not None]
    if staying:
        sharing.kept = staying[0].kept
        if len({reader.needs for reader in staying}) > 1:
            sharing.other = name(_pick_other(staying).use)
        elif not staying[0].folds:
            sharing.other = name(staying[0].use)
    return sharing


def _pick_other(readers: list[_Reader]) -> _Reader:
    """Return a reader that needs the pad as it is, or else one that keeps other widths than the first."""
    for reader in readers:
        if not reader.folds:
            return reader
    return next(reader for reader in readers if reader.needs != readers[0].needs)


def _list_between(bindings: Bindings, readers: list[_Reader]) -> Iterator[tuple[relax.Var, list[_Reader]]]:
    """Yield each pad between with the readers behind it, those nearest to the readers first."""
    found: VarMap[tuple[int, list[_Reader]]] = VarMap()
    for reader in readers:
        for depth, (var, step, _) in enumerate(reader.path.steps):
            if isinstance(step, Padded) and var not in bindings.crops:
                found.setdefault(var, (depth, []))[1].append(reader)
    ordered = sorted(found.items(), key=lambda item: -item[1][0])
    for var, (_, through) in ordered:
        yield var, through
