"""The paths from a pad to its readers, through the ops that a pad can pass.

    pad --> step --> step --> use

A step is an op that a pad can pass. Aliases are followed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tvm import relax

from foldproof.fold.bindings import Bindings, Use
from foldproof.fold.facts import Step
from foldproof.fold.varmap import VarMap

MOST_STEPS = 64
"""The search for a pad ends after so many steps: graphs have a handful, and each consumer reads its chain again."""


MOST_PRODUCERS = 4
"""The most steps before a pad that are read for bounds of its data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A pad and the steps from it to a consumer, in order: (variable, facts, number of the data operand)."""

    pad: relax.Var
    steps: tuple[tuple[relax.Var, Step, int], ...]

    @property
    def facts(self) -> tuple[Step, ...]:
        return tuple(step for _, step, _ in self.steps)


def find_paths(bindings: Bindings, operand: Any) -> Iterator[Path]:
    """Yield the pads before an operand, nearest first, each with the steps after it."""
    steps: tuple[tuple[relax.Var, Step, int], ...] = ()
    var = bindings.alias(operand)
    while isinstance(var, relax.Var) and len(steps) < MOST_STEPS:
        if bindings.pad(var) is not None:
            yield Path(pad=var, steps=steps)
        found = bindings.step(var)
        if found is None:
            return
        steps = ((var, *found), *steps)
        var = bindings.alias(bindings.data(var, found[1]))


def find_producers(bindings: Bindings, source: Any) -> tuple[tuple[Step, ...], str]:
    """Return the last steps that compute ``source``, in the order of execution, and the dtype of what they read."""
    producers: tuple[Step, ...] = ()
    var = bindings.alias(source)
    while isinstance(var, relax.Var) and len(producers) < MOST_PRODUCERS and (found := bindings.step(var)) is not None:
        producers = (found[0], *producers)
        var = bindings.alias(bindings.data(var, found[1]))
    return producers, str(getattr(var.ty, "dtype", ""))


def find_uses(bindings: Bindings, path: Path, met: VarMap[bool] | None = None) -> Iterator[tuple[Path, Use]]:
    """Yield (path, use) for every use at the end of a path. A step whose result nothing reads is a use itself.

    ``met`` are the joins that were passed: several operands lead to each.
    """
    met = VarMap() if met is None else met
    end = path.steps[-1][0] if path.steps else path.pad
    for user, operand in find_users(bindings, end):
        found = bindings.step(user) if user is not None and user not in bindings.dead else None
        if user is not None and found is not None:
            longer = _lengthen(bindings, path, user, found, end, operand)
            if longer is not None and found[1] < 0 and user in met:
                continue
            is_read = next(find_users(bindings, user), None) is not None
            if longer is not None and is_read and len(longer.steps) < MOST_STEPS:
                met[user] = True
                yield from find_uses(bindings, longer, met)
                continue
        yield path, (user, operand)


def _lengthen(
    bindings: Bindings, path: Path, user: relax.Var, found: tuple[Step, int], end: relax.Var, operand: int
) -> Path | None:
    """Return the path with the step that ``user`` is bound to, None if the path does not lead to its data."""
    step, index = found
    if index >= 0:
        names = operand == index or bindings.kernel(user) is not None  # the operands of a kernel have no numbers
        is_data = names and bindings.alias(bindings.data(user, index)).same_as(end)
        return Path(pad=path.pad, steps=(*path.steps, (user, step, index))) if is_data else None
    source = bindings.alias(bindings.data(user, index))
    if source.same_as(path.pad):
        return Path(pad=path.pad, steps=((user, step, index),))
    for i, (var, _, _) in enumerate(path.steps):
        if source.same_as(var):
            return Path(pad=path.pad, steps=(*path.steps[: i + 1], (user, step, index)))
    return None


def find_users(bindings: Bindings, var: relax.Var) -> Iterator[Use]:
    """Yield the uses of a variable, also by its aliases."""
    names = [var]
    while names:
        for user, operand in bindings.users(names.pop(0)):
            if user is not None and isinstance(bindings.values.get(user), relax.Var):
                names.append(user)
            elif user is None or user not in bindings.dead:
                yield user, operand
