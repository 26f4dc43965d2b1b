"""A patched pass: the bundled pass with functions replaced while it runs. A trace shows when that changes nothing.

    module --bundled pass, every function spied on--> Trace --> the patched passes that return the same module

Invariant: a patched pass returns what its base returns, if the base calls no replaced function or gets equal answers.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from foldproof.fold import FoldExplicitPadding, Outcome, rewrite
from foldproof.fold.facts import Site
from foldproof.ir.base import Pass
from foldproof.ir.relax import module as ir


def options(**chosen: str | bool) -> Pass:
    """Return the bundled pass with these options."""
    made: Any = FoldExplicitPadding(check_input=False, **chosen)  # type: ignore[arg-type]
    return made  # type: ignore[no-any-return]


BUNDLED = options()
"""The pass that mutants are made of. The harness itself checks whether a module is well formed."""

CORRECTING = options(nonzero="correct")
SLICING = options(channels="slice")
RESTRICTED = options(allow_asymmetric=False)
BASES = (BUNDLED, CORRECTING, SLICING)

Place = tuple[Any, str]
"""A module or class of the pass, and the name of a function in it."""

_DECIDE: Place = (rewrite, "decide")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PatchedPass:
    """A pass: ``base`` with each (owner, name, replacement), then ``after`` of its result and its input.

    ``wrong`` decides on each site, if only the decision is replaced.
    """

    base: Pass
    patches: tuple[tuple[Any, str, Any], ...]
    after: Callable[[ir.Module, ir.Module], ir.Module] | None = None
    wrong: Callable[[Site], Outcome] | None = None

    def __call__(self, module: ir.Module) -> ir.Module:
        with _replace(self.patches):
            folded = self.base(module)
        return folded if self.after is None else self.after(folded, module)

    def agrees_with(self, run: "Trace") -> bool:
        """Return whether this pass does in ``run`` what its base did, ``after`` aside."""
        if self.wrong is not None:
            return all(_decide(self.wrong, site) == outcome for site, outcome in run.asked)
        return not any((id(owner), name) in run.called for owner, name, _ in self.patches)


@contextmanager
def _replace(patches: Iterable[tuple[Any, str, Any]]) -> Iterator[None]:
    with ExitStack() as stack:
        for owner, name, replacement in patches:
            stack.enter_context(patch.object(owner, name, replacement))
        yield


def _decide(wrong: Callable[[Site], Outcome], site: Site) -> Outcome | None:
    try:
        return wrong(site)
    except Exception:  # noqa: BLE001, a defect that raises makes a difference, which its own run shows
        return None


# --- what the pass calls ------------------------------------------------------------------------------


@dataclass(slots=True)
class Trace:
    """One run of a base: its result, the functions it called, and its outcome for each site."""

    folded: ir.Module | None = None
    called: set[tuple[int, str]] = field(default_factory=set)
    asked: list[tuple[Site, Outcome]] = field(default_factory=list)


def trace(base: Pass, module: ir.Module, places: Iterable[Place]) -> Trace:
    """Run ``base`` on a module, with spies on the functions at ``places``. Other objects count as called."""
    run = Trace()
    spies = []
    for owner, name in places:
        original = vars(owner)[name]
        if callable(getattr(owner, name)):
            spies.append((owner, name, _spy(run, owner, name, original)))
        else:
            run.called.add((id(owner), name))
    with _replace(spies):
        run.folded = base(module)
    return run


def _spy(run: Trace, owner: Any, name: str, original: Any) -> Any:
    static = isinstance(original, staticmethod)
    function = original.__func__ if static else original

    def spy(*args: Any, **options: Any) -> Any:
        run.called.add((id(owner), name))
        answer = function(*args, **options)
        if (owner, name) == _DECIDE:
            run.asked.append((args[0], answer))
        return answer

    return staticmethod(spy) if static else spy


def patched_places(folds: Iterable[Pass]) -> list[Place]:
    """Return all places that these passes replace, each once."""
    found = {(id(o), name): (o, name) for f in folds if isinstance(f, PatchedPass) for o, name, _ in f.patches}
    return list(found.values())
