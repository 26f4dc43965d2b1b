"""Strategies for graphs: draw a structure first, then sites that fit it.

    structure --draw--> sites, each a drawn case --link, place, carry--> Graph

Each structure is a legal graph with one thing that a careless pass forgets: that a pad has another reader, that a
variable ends with its block, that two functions have variables of one name. Links are valid by construction: a case
adopts the data of another one, and where it cannot, a small consumer that can is drawn instead.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from hypothesis import strategies as st

from foldproof.case import Axis, Case, Pad, Step, dtypes, ops
from foldproof.case.adoption import OWN, PADDED, RESULT, SAME, adopt
from foldproof.case.graph import APART, CARRIERS, ENCLOSED, JOINS, MOST_SITES, Function, Graph, Join, Site
from foldproof.case.step import BINARY
from foldproof.strategies.cases import cases, check_names, foldable_cases


@dataclass(slots=True)
class _GraphBuilder:
    """A graph that is being drawn. Its sites are valid; a change that is not is left out."""

    draw: st.DrawFn
    names: tuple[str, ...]
    sites: list[Site] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    # --- cases ----------------------------------------------------------------------------------------

    def case(self, *, foldable: bool = True) -> Case:
        """Draw a case: one whose pad may be folded, or any."""
        drawn = self.draw(foldable_cases(*self.names) if foldable else cases(*self.names))
        return _small_case(self.draw, drawn.op) if _is_large(drawn) or not drawn.spatial_in_order else drawn

    def follower(self, source: Case, link: str) -> Case:
        """Draw a case that reads the data, the padded tensor or the result of another one."""
        rank = source.spec.rank
        names = tuple(name for name in self.names if ops.BY_NAME[name].rank == rank) or (source.op,)
        if self.draw(st.booleans()):
            drawn = self.draw(cases(*names))
            if not _is_large(drawn) and drawn.spatial_in_order:
                try:
                    return adopt(drawn, source, link)
                except ValueError:
                    pass  # its steps or its window do not fit that data
        return self._small_follower(source, link, names)

    def _small_follower(self, source: Case, link: str, names: tuple[str, ...]) -> Case:
        draw, op = self.draw, self.draw(st.sampled_from(names))
        integers = source.result_dtype if link == RESULT else source.dtype
        small = _small_case(draw, op)
        for kernel in (small.axes[0].kernel, 1):
            axes = tuple(replace(axis, kernel=kernel) for axis in small.axes)
            bare = replace(small, axes=axes)
            for changed in (bare, replace(bare, pad=Pad()), replace(bare, pad=Pad(value=_lowest(bare, integers)))):
                try:
                    return adopt(changed, source, link)
                except ValueError:
                    continue
        return adopt(Case(op=source.op, axes=(Axis(),) * source.spec.rank), source, link)

    # --- sites ----------------------------------------------------------------------------------------

    def add(self, case: Case, **fields: Any) -> int:
        """Append a site, and return its index."""
        if self.sites:
            case = replace(case, fills=self.sites[0].case.fills)
        self.sites.append(Site(case=case, **fields))
        return len(self.sites) - 1

    def start(self, **fields: Any) -> int:
        """Append a site with data of its own."""
        return self.add(self.case(foldable=self.draw(st.sampled_from((True, True, False)))), **fields)

    def follow(self, index: int, link: str, **fields: Any) -> int:
        """Append a site that reads another one; with data of its own where no case can read that."""
        source = self.sites[index].case
        try:
            return self.add(self.follower(source, link), data=link, of=index, **fields)
        except ValueError:
            return self.start(**fields)

    def near_copy(self, index: int, link: str) -> int:
        """Append a site that reads another one and is equal to it, but for one thing: own padding, value, widths."""
        if index == len(self.sites) - 1:  # nothing reads it yet
            own = self.sites[index].case
            asymmetric = replace(own.axes[0], padding=(1, 0))
            self.change(index, case=changed_case(own, axes=(asymmetric, *own.axes[1:])))
        case = replace(self.sites[index].case, extra_outputs=())
        axis = case.axes[0]
        if link == SAME and not case.steps and case.dtype in dtypes.FLOATS and self.draw(st.booleans()):
            case = changed_case(case, steps=(Step(kind="leakyrelu"),))
            self.change(index, case=changed_case(self.sites[index].case, steps=case.steps))
        changed: list[dict[str, Any]] = [{"axes": (replace(axis, padding=axis.padding[::-1]), *case.axes[1:])}]
        if link == SAME:
            value = case.pad.value + 1 if case.pad.value > -9 else 0.0
            changed += 2 * [{"pad": replace(case.pad, value=value)}]
            changed += [{"axes": (replace(axis, pad=axis.pad[::-1]), *case.axes[1:])}]
            changed += 4 * [{"steps": tuple(map(_other_step, case.steps))}]
        change = self.draw(st.sampled_from(changed))
        for weight in (self.draw(st.sampled_from((index, -1))), -1):
            try:
                other = adopt(replace(case, **change), case, link)
                site = Site(case=other, data=link, of=index, weight_of=weight)
                Graph(sites=(*self.sites, site))
            except ValueError:
                continue
            self.sites.append(site)
            return len(self.sites) - 1
        return self.follow(index, link)

    def change(self, index: int, **fields: Any) -> None:
        """Change a site, unless that is not valid."""
        try:
            self.sites[index] = replace(self.sites[index], **fields)
        except ValueError:
            return

    def bind_weight(self, index: int) -> None:
        """Make the weight of a site a constant, if it has one."""
        case = self.sites[index].case
        if case.spec.weighted and not case.pads_weight:
            self.change(index, case=changed_case(case, constant_weight=True))

    def build(self) -> Graph:
        """Return the graph. What does not go together is left out, the options first."""
        sites = tuple(self.sites)
        for options in (self.options, {name: self.options[name] for name in _HARMLESS if name in self.options}, {}):
            for attempt in (sites, tuple(replace(site, function=0) for site in sites)):
                try:
                    return Graph(sites=attempt, **options)
                except ValueError:
                    continue
        bare = tuple(Site(case=site.case) for site in sites)
        return Graph(sites=bare)


def changed_case(case: Case, **change: Any) -> Case:
    """Return the changed case, or the case itself where such a one is not valid."""
    try:
        return replace(case, **change)
    except ValueError:
        return case


_HARMLESS = ("equal_names", "nested_outputs", "bound_constants")


def _is_large(case: Case) -> bool:
    return case.macs > 4000


def _lowest(case: Case, dtype: str) -> float:
    return -float("inf") if dtype in dtypes.FLOATS else float(dtypes.int_range(dtype)[0])


@st.composite
def _small_cases(draw: st.DrawFn, op: str) -> Case:
    spec = ops.BY_NAME[op]
    axes = []
    for _ in range(spec.rank):
        before, after = draw(st.integers(0, 2)), draw(st.integers(0, 2))
        kernel = draw(st.integers(1, 3))
        axes.append(
            Axis(size=draw(st.integers(3, 5)), pad=(before, after), kernel=kernel, stride=draw(st.integers(1, 2)))
        )
    channels = draw(st.integers(1, 2))
    value = -float("inf") if spec.family == "max_pool" and draw(st.booleans()) else 0.0
    case = Case(op=op, axes=tuple(axes), channels=channels, pad=Pad(value=value), fills=("negative",))
    return replace(case, filters=draw(st.integers(1, 2))) if spec.weighted else case


def _small_case(draw: st.DrawFn, op: str) -> Case:
    return draw(_small_cases(op))


# --- structures ---------------------------------------------------------------------------------------

AddStructure = Callable[[_GraphBuilder], None]


def _independent(builder: _GraphBuilder) -> None:
    """Several sites that have nothing in common."""
    for _ in range(builder.draw(st.integers(1, 3))):
        builder.start()


def _alike(builder: _GraphBuilder) -> None:
    """Two sites that are equal, or equal but for one thing: a width, the value, the stride, the numbers."""
    first = builder.add(builder.case())
    case = builder.sites[first].case
    others = [case]
    for change in _small_changes(case):
        try:
            others.append(replace(case, **change))
        except ValueError:
            continue
    other = builder.draw(st.sampled_from(others))
    if builder.draw(st.booleans()):
        builder.add(other)
    else:
        builder.sites.insert(0, Site(case=other))
    builder.options["bound_constants"] = builder.draw(st.booleans())


def _small_changes(case: Case) -> list[dict[str, Any]]:
    axis = case.axes[0]
    wider = replace(axis, pad=(axis.pad[0] + 1, axis.pad[1]))
    changes: list[dict[str, Any]] = [
        {"axes": (changed, *case.axes[1:])} for changed in (wider, replace(axis, stride=2))
    ]
    return [*changes, _other_value(case), *2 * [_other_numbers(case)]]


def _other_value(case: Case) -> dict[str, Any]:
    return {"pad": replace(case.pad, value=case.pad.value + 1 if case.pad.value > -9 else 0.0)}


def _other_step(step: Step) -> Step:
    """Return the step with another attribute or operand of the same type, if it has one."""
    if step.kind == "leakyrelu":
        return replace(step, alpha=step.alpha + 0.5)
    return replace(step, operand=tuple(2 * number for number in step.operand)) if step.kind in BINARY else step


def _other_numbers(case: Case) -> dict[str, Any]:
    """Return the change to other data, and another weight, of the same types: equal sites hide which one is read."""
    return {"seed": case.seed + 1}


def _shared_pad(builder: _GraphBuilder) -> None:
    """One pad that several consumers read."""
    first = builder.start()
    for _ in range(builder.draw(st.integers(1, 2))):
        (builder.near_copy if builder.draw(st.booleans()) else builder.follow)(first, PADDED)


def _local_data(builder: _GraphBuilder) -> None:
    """A shared pad of data that is local to its dataflow block, and a consumer behind that block."""
    case = builder.case()
    if not case.producers or case.symbolic or case.pads_weight:
        case = replace(_small_case(builder.draw, case.op), producers=(Step(kind="relu"),))
    first = builder.add(case)
    place = builder.draw(st.sampled_from(("behind", "next block", "past call", "branch")))
    builder.change(builder.near_copy(first, PADDED), place=place)


def _returned_pad(builder: _GraphBuilder) -> None:
    """A pad that is also returned, or read by another op, and by a second consumer."""
    first = builder.start()
    case = builder.sites[first].case
    extra = builder.draw(st.sampled_from((("returned",), ("read",), ("returned", "read"))))
    builder.change(first, case=changed_case(case, extra_outputs=extra))
    builder.options["nested_outputs"] = builder.draw(st.sampled_from((True, True, False)))
    if builder.draw(st.booleans()):
        builder.follow(first, PADDED)


def _chained(builder: _GraphBuilder) -> None:
    """The result of one site is the data of the next."""
    index = builder.start()
    bound = builder.draw(st.sampled_from((False, False, True)))  # each weight is bound after the data that it meets
    for _ in range(builder.draw(st.integers(1, 2))):
        index = builder.follow(index, RESULT)
        if bound:
            builder.bind_weight(index)
    builder.options["bound_constants"] = bound


def _strided(builder: _GraphBuilder) -> None:
    """A strided layer of symbolic lengths before the pad, which makes them expressions."""
    drawn = builder.draw(foldable_cases(*builder.names))
    small = _small_case(builder.draw, drawn.op)
    axes = tuple(replace(axis, stride=2, size=axis.size + 4) for axis in small.axes)
    symbolic = builder.draw(st.sampled_from((tuple(small.spec.spatial), ("N",), ("N", *small.spec.spatial))))
    first = builder.add(replace(small, axes=axes, symbolic=symbolic))
    builder.follow(first, RESULT)


def _same_data(builder: _GraphBuilder) -> None:
    """Two pads of one tensor."""
    first = builder.start()
    for _ in range(builder.draw(st.integers(1, 2))):
        (builder.near_copy if builder.draw(st.booleans()) else builder.follow)(first, SAME)


def _shared_weight(builder: _GraphBuilder) -> None:
    """Two convolutions with one weight; one of them may pad it."""
    weighted = tuple(name for name in builder.names if ops.BY_NAME[name].weighted)
    names, builder.names = builder.names, weighted or builder.names
    pads_weight = builder.draw(st.booleans())
    case = _small_case(builder.draw, builder.draw(st.sampled_from(builder.names))) if pads_weight else builder.case()
    builder.names = names
    first = builder.add(case)
    longer = tuple(replace(axis, size=axis.size + (6 if pads_weight else 1)) for axis in case.axes)
    other = case
    if pads_weight and case.spec.weighted:
        other = replace(case, pad=Pad(value=0.0, operand="weight"), axes=longer)
    elif builder.draw(st.booleans()):
        other = changed_case(case, axes=longer)  # a step may have an operand of the old length
    if builder.draw(st.booleans()):  # the padded weight before the other
        builder.sites[first], other = Site(case=replace(other, fills=case.fills)), case
    try:
        Graph(sites=(*builder.sites, Site(case=replace(other, fills=builder.sites[0].case.fills), weight_of=first)))
    except ValueError:
        builder.add(other)
        return
    builder.add(other, weight_of=first)


def _joined(builder: _GraphBuilder) -> None:
    """The results of two branches, joined."""
    first = builder.start()
    case = changed_case(builder.sites[first].case, symbolic=())
    builder.change(first, case=case)
    link = builder.draw(st.sampled_from((OWN, SAME, PADDED)))
    equal = builder.sites[first].case
    if link == PADDED and (equal.extra_outputs or equal.pads_weight):
        link = SAME
    builder.add(equal, data=link, of=0)
    builder.options["joins"] = (Join(kind=builder.draw(st.sampled_from(JOINS))),)


def _placed(*places: str, local_data: bool = True) -> AddStructure:
    def structure(builder: _GraphBuilder) -> None:
        place = builder.draw(st.sampled_from(places))
        case = _without_outputs(builder.case(), place)
        local = local_data and place in APART and builder.draw(st.sampled_from((True, True, False)))
        if local:
            small = builder.draw(st.sampled_from((True, True, False)))
            case = _with_producer(builder.draw, _small_case(builder.draw, case.op) if small else case)
        first = builder.add(case, place=place)
        if local:
            builder.change(first, local_data=True)
        _accompany(builder, first)

    structure.__doc__ = f"A consumer that stands apart from its pad: {', '.join(places)}."
    return structure


def _with_producer(draw: st.DrawFn, case: Case) -> Case:
    """Return a case whose data before the pad is a binding of its block, which nothing outside can read."""
    if case.producers:
        return case
    return changed_case(case, producers=(Step(kind=draw(st.sampled_from(("relu", "abs", "negative")))),))


def _without_outputs(case: Case, place: str) -> Case:
    """Return a case that can stand in a place."""
    if place not in ENCLOSED:
        return case
    case = changed_case(case, extra_outputs=(), symbolic=())
    if case.pads_weight:
        return Case(op=case.op, axes=tuple(Axis(size=4, pad=(1, 1), kernel=2) for _ in case.axes), fills=case.fills)
    if place == "padded branch" and (case.pad.mode != "constant" or case.pad.form != "op"):
        return changed_case(case, pad=replace(case.pad, mode="constant", form="op"))
    return case


def _accompany(builder: _GraphBuilder, first: int) -> None:
    """Perhaps add another site, of its own or linked to the first one."""
    links = (OWN, SAME, RESULT) if builder.sites[first].place in ENCLOSED else (OWN, SAME, PADDED, RESULT)
    if builder.draw(st.booleans()):
        link = builder.draw(st.sampled_from(links))
        if link == OWN:
            builder.start()
        else:
            builder.follow(first, link)


def _carried(builder: _GraphBuilder) -> None:
    """Something that carries the padded tensor to its consumer: an alias, a cast, a tuple, a packed function."""
    carrier = builder.draw(st.sampled_from((*CARRIERS[1:], "match_symbols")))
    case = builder.case()
    if case.pads_weight:
        case = _small_case(builder.draw, case.op)
    if carrier == "symbolic clip":
        case = replace(_small_case(builder.draw, case.op), symbolic=("N",))
    first = builder.add(case, carrier=carrier)
    if carrier != "match_symbols":
        _accompany(builder, first)
    elif builder.draw(st.integers(0, 3)):  # a cast beside something that folds; nothing reads the new lengths
        builder.add(builder.case())


def _overwritten(builder: _GraphBuilder) -> None:
    """The data before the pad is overwritten between pad and consumer."""
    case = builder.case()
    wide = any(width != (0, 0) for width in case.pad_widths.values())
    if not case.producers or case.symbolic or case.pads_weight or not wide:
        step = Step(kind=builder.draw(st.sampled_from(("relu", "abs"))))
        small = _small_case(builder.draw, case.op)
        axes = tuple(replace(axis, pad=(axis.pad[0], axis.pad[1] or 1)) for axis in small.axes)
        case = replace(small, axes=axes, producers=(step,))
    builder.add(case, written=builder.draw(st.sampled_from(("data", "callee"))))
    if builder.draw(st.booleans()):
        builder.start()


def _functions(builder: _GraphBuilder) -> None:
    """Sites in several functions, which call each other."""
    count = builder.draw(st.integers(1, 2))
    functions = []
    for number in range(1, count + 1):
        caller = builder.draw(st.integers(0, number - 1))
        functions.append(
            Function(caller=caller, private=builder.draw(st.booleans()), composite=builder.draw(st.booleans()))
        )
    first = builder.start()
    for number in range(1, count + 1):
        kind = builder.draw(st.sampled_from(("equal", "own", SAME, PADDED, RESULT)))
        if kind == "equal":
            case = builder.sites[first].case
            builder.add(
                changed_case(case, **builder.draw(st.sampled_from(({}, _other_numbers(case))))), function=number
            )
        elif kind == "own":
            builder.start(function=number)
        else:
            builder.follow(first, kind, function=number)
    last = builder.sites[-1]
    if builder.draw(st.booleans()):  # two results of one type in one function
        change = builder.draw(st.sampled_from((_other_numbers(last.case), _other_value(last.case))))
        builder.add(changed_case(last.case, **change), function=last.function)
    builder.options |= {"functions": tuple(functions), "equal_names": builder.draw(st.booleans())}


def _other_way_round(builder: _GraphBuilder) -> None:
    """Two private functions of one type that pad the two sides the other way round."""
    case = _small_case(builder.draw, builder.draw(st.sampled_from(builder.names)))
    axis = case.axes[0]
    uneven = replace(axis, pad=(axis.pad[0] + (axis.pad[0] == axis.pad[1]), axis.pad[1]))
    value = -float("inf") if case.spec.family == "max_pool" else 0.0
    case = replace(case, axes=(uneven, *case.axes[1:]), pad=Pad(value=value))
    builder.add(case, function=1)
    builder.add(replace(case, axes=(replace(uneven, pad=uneven.pad[::-1]), *case.axes[1:])), function=2)
    composite = builder.draw(st.booleans())
    callers = (0, builder.draw(st.sampled_from((0, 0, 1))))
    builder.options["functions"] = tuple(Function(caller=caller, composite=composite) for caller in callers)
    builder.options["equal_names"] = builder.draw(st.booleans())


def _kernels(builder: _GraphBuilder) -> None:
    """A kernel that pads, called by two sites, perhaps of two functions."""
    case = builder.case()
    if case.pad.operand != "data":
        case = _small_case(builder.draw, case.op)
    if case.pad.form == "op":
        case = changed_case(case, pad=replace(case.pad, form="call_tir"), symbolic=())
    builder.add(case)
    if builder.draw(st.booleans()):
        builder.options["functions"] = (Function(private=builder.draw(st.booleans())),)
        builder.add(case, function=1)
    elif builder.draw(st.booleans()):
        builder.near_copy(0, SAME)  # two kernels that differ in one thing
    else:
        builder.follow(0, builder.draw(st.sampled_from((SAME, PADDED))))


def _constants(builder: _GraphBuilder) -> None:
    """Constants bound to variables, and a pad that nothing reads."""
    case = builder.case()
    if case.spec.weighted:
        case = changed_case(case, constant_weight=True)
    builder.add(case, unread=builder.draw(st.booleans()))
    builder.options["bound_constants"] = builder.draw(st.sampled_from((True, True, False)))
    another = builder.draw(st.sampled_from(("", "own", "other numbers", "other numbers")))
    if another == "own":
        builder.start()
    elif another:
        builder.add(changed_case(case, **_other_numbers(case)))


def _mixed(builder: _GraphBuilder) -> None:
    """Up to four sites with any links, places and carriers."""
    draw = builder.draw
    builder.start()
    for _ in range(draw(st.integers(0, MOST_SITES - 1))):
        of = draw(st.integers(0, len(builder.sites) - 1))
        link = draw(st.sampled_from((OWN, SAME, PADDED, RESULT)))
        if link == OWN:
            builder.start()
        elif link == PADDED and builder.sites[of].place in ENCLOSED:
            builder.follow(of, SAME)
        else:
            builder.follow(of, link)
    for index in range(len(builder.sites)):
        if draw(st.booleans()):
            place = draw(st.sampled_from(("behind", "next block", "past call", "branch", "branches")))
            builder.change(index, place=place)
        elif draw(st.booleans()):
            builder.change(index, carrier=draw(st.sampled_from(("alias", "match_cast", "tuple"))))
    for name in _HARMLESS:
        builder.options[name] = draw(st.booleans())


BLOCKS = _placed("behind", "next block", "past call")
BRANCHES = _placed("branch", "branches", "inside", "padded branch")
LOCAL = _placed("local")

STRUCTURES: tuple[tuple[str, AddStructure, int], ...] = (
    ("independent", _independent, 1),
    ("alike", _alike, 2),
    ("shared pad", _shared_pad, 2),
    ("local data", _local_data, 1),
    ("returned pad", _returned_pad, 2),
    ("chained", _chained, 2),
    ("strided", _strided, 1),
    ("same data", _same_data, 1),
    ("shared weight", _shared_weight, 2),
    ("joined", _joined, 1),
    ("blocks", BLOCKS, 3),
    ("branches", BRANCHES, 3),
    ("local", LOCAL, 1),
    ("carried", _carried, 2),
    ("overwritten", _overwritten, 1),
    ("functions", _functions, 3),
    ("other way round", _other_way_round, 1),
    ("kernels", _kernels, 2),
    ("constants", _constants, 2),
    ("mixed", _mixed, 2),
)
"""Name, structure and weight. A structure that killed mutants of its kind late has a larger weight."""

HIDING: tuple[AddStructure, ...] = (_overwritten, _carried, _local_data, _placed("past call"), _placed("padded branch"))
"""Structures in which a pass must not see from the pad to its consumer, or need not."""

SEEN: tuple[AddStructure, ...] = (
    *(_independent, _alike, _shared_pad, _chained, _strided, _same_data, _shared_weight, _joined, _kernels, _constants),
    _placed("behind", "next block", local_data=False),
    _placed("branch", "branches", "inside", local_data=False),
)
"""Structures that hide no pad. Only what a second pad of a chain pads may be local to its block."""


@st.composite
def _drawn(draw: st.DrawFn, structures: st.SearchStrategy[AddStructure], names: tuple[str, ...]) -> Graph:
    builder = _GraphBuilder(draw=draw, names=names)
    draw(structures)(builder)
    return builder.build()


@cache
def _weighted_structures() -> st.SearchStrategy[AddStructure]:
    return st.sampled_from([structure for _, structure, weight in STRUCTURES for _ in range(weight)])


def graphs(*names: str) -> st.SearchStrategy[Graph]:
    """Draw graphs of one to four sites.

    Args:
        names: Ops of the sites, for example ``"conv2d"`` (default: all).

    Raises:
        ValueError: For an unknown op.
    """
    return _drawn(_weighted_structures(), check_names(names))


def foldable_graphs(*names: str) -> st.SearchStrategy[Graph]:
    """Draw graphs whose structure hides no pad from a pass. Not every pad is legal to fold.

    Args:
        names: Ops of the sites, for example ``"conv2d"`` (default: all).

    Raises:
        ValueError: For an unknown op.
    """
    return _drawn(st.sampled_from(SEEN), check_names(names))


def unfoldable_graphs(*names: str) -> st.SearchStrategy[Graph]:
    """Draw graphs with a pad from which a pass must not, or need not, see to its consumer.

    Args:
        names: Ops of the sites, for example ``"conv2d"`` (default: all).

    Raises:
        ValueError: For an unknown op.
    """
    return _drawn(st.sampled_from(HIDING), check_names(names))
