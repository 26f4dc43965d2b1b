"""A Graph: several sites in one module, and how they stand together.

    main(x0, w0, x1)                 site 0    x0 --pad--> conv2d ----+
      lv0 = pad(x0)                                |                  +--> add
      lv1 = conv2d(lv0, w0)          site 1        +--> max_pool2d ---+
      lv2 = max_pool2d(lv0)

Each site is a ``Case``, which says what its pad, steps and consumer are. A ``Site`` says where its data comes from, in
which function and in which scope it stands. Like a case, a graph is frozen, compares by value, converts to JSON and
back, and knows no compiler.

Invariant: the case of a site whose data comes from another site has the very data that it gets (``adopt``). So the
meaning of a graph is that of its cases, one after the other.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Self

from foldproof.case.adoption import LINKS, OWN, PADDED, RESULT, SAME, adopt
from foldproof.case.case import Case
from foldproof.case.formats import FORMAT, upgrade
from foldproof.case.records import Record, cached, member, require, require_bool, require_int, require_tuple

PLACES = (
    "block",
    "behind",
    "next block",
    "past call",
    "branch",
    "branches",
    "inside",
    "padded branch",
    "local",
)
"""Where the consumer of a site stands:

- ``block``: in the dataflow block of its pad;
- ``behind``: behind that block, in no dataflow block;
- ``next block``: in the next dataflow block;
- ``past call``: in another dataflow block, after a call of a packed function that is not pure;
- ``branch``: in the true branch of an ``If`` behind the pad; the result of the false branch is zeros;
- ``branches``: in both branches; the false one doubles the result;
- ``inside``: in the true branch together with its pad;
- ``padded branch``: behind an ``If`` whose branches both pad, the false one with 1;
- ``local``: in a local function together with its pad.
"""

CONDITIONAL = ("branch", "branches", "inside", "padded branch")
"""Places that need a condition."""

APART = ("behind", "next block", "past call", "branch", "branches")
"""Places in which the consumer, but not its pad, is outside of the dataflow block of the pad."""

ENCLOSED = ("inside", "local", "padded branch")
"""Places whose padded tensor nothing outside can read."""

CARRIERS = ("", "alias", "match_cast", "match_symbols", "tuple", "packed", "dps", "symbolic clip")
"""What carries the tensor from the pad and its steps to the consumer:

- ``alias``: another variable;
- ``match_cast``: a cast to the same type;
- ``match_symbols``: a cast to a type of new symbolic lengths;
- ``tuple``: an element of a tuple;
- ``packed`` and ``dps``: a copy by a packed function of the runtime, called by ``call_pure_packed`` or
  ``call_dps_packed``;
- ``symbolic clip``: ``clip(x, 0, n)`` for a symbolic length n of the data.
"""

WRITES = ("", "data", "callee")
"""What overwrites the data of the pad between pad and consumer: an in-place call in this function, or in a callee."""

JOINS = ("add", "maximum", "concat")
"""How the results of two sites become one more output; concat is along the first axis."""

MOST_SITES = 4

MAIN = 0
"""The index of the entry function."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Site(Record):
    """One site of a graph.

    Args:
        case: its pad, steps and consumer.
        data: where the data of the case comes from: a parameter of its own, or from the site ``of``: the same data, its
            padded tensor, or its result.
        of: the earlier site that ``data`` names; 0 if the data is a parameter of its own.
        weight_of: the earlier site whose weight this one has too; its own index or -1 for a weight of its own.
        function: the function in which it stands: 0 is the entry function, n is ``functions[n - 1]`` of the graph.
        place: where its consumer stands, one of ``PLACES``.
        carrier: what carries the padded tensor to the consumer, one of ``CARRIERS``.
        written: what overwrites the data between pad and consumer, one of ``WRITES``.
        local_data: whether the data of the pad is a variable that ends with its dataflow block, so that the consumer,
            which stands apart, cannot read it.
        unread: whether the function computes the pad a second time, and nothing reads it.
    """

    nested: ClassVar[dict[str, type[Record]]] = {"case": Case}

    case: Case
    data: str = OWN
    of: int = 0
    weight_of: int = -1
    function: int = MAIN
    place: str = "block"
    carrier: str = ""
    written: str = ""
    unread: bool = False
    local_data: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.case, Case):  # its repr, which require would need, takes longer than all checks
            raise ValueError(f"case of a site must be a Case, not {self.case!r}")
        member("data", self.data, LINKS)
        member("place", self.place, PLACES)
        member("carrier", self.carrier, CARRIERS)
        member("written", self.written, WRITES)
        require_int("of", self.of, least=0)
        require_int("weight_of", self.weight_of, least=-1)
        require_int("function", self.function, least=0)
        require_bool("unread", self.unread)
        require_bool("local_data", self.local_data)
        case, enclosed = self.case, self.place in ENCLOSED
        require(self.of == 0 or self.data != OWN, f"of must be 0 if the data is a parameter of its own, not {self.of}")
        require(not enclosed or not case.extra_outputs, f"extra_outputs must be empty in the place {self.place!r}")
        require(not enclosed or not self.carrier or self.place == "padded branch", f"no carrier goes {self.place!r}")
        require(
            not enclosed or not self.written, f"written must be '' in the place {self.place!r}, not {self.written!r}"
        )
        require(not enclosed or not case.pads_weight, f"a padded weight cannot be {self.place!r}")
        if self.place == "padded branch":
            form = case.pad.mode == "constant" and case.pad.form == "op"
            require(form, "the pad of a padded branch must be an op of mode 'constant'")
        if self.local_data:
            require(self.place in APART, f"local_data needs a place apart from the pad, not {self.place!r}")
            bound = bool(case.producers) or case.input_stride > 1
            require(bound and self.data != PADDED, "local_data needs producers: a parameter ends with its function")
        if self.carrier:
            require(not case.pads_weight, f"carrier {self.carrier!r} needs a pad of the data")
        if self.carrier == "symbolic clip":
            require("N" in case.symbolic, "carrier 'symbolic clip' needs the symbolic axis N")
            require(self.data == OWN, "carrier 'symbolic clip' needs data of its own")
            dtype = case.operand_dtype
            require(dtype in ("float32", "int32", "int64"), f"carrier 'symbolic clip' needs float32, not {dtype}")
        if self.written:
            fresh = bool(case.producers) and not case.symbolic and not case.pads_weight and self.data == OWN
            require(
                fresh, "written needs producers, static lengths and data of its own: parameters are not overwritten"
            )
            wide = any(width != (0, 0) for width in case.pad_widths.values())
            require(
                wide, "written needs a pad that adds or removes elements: a compiler may make a view of another one"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Function(Record):
    """A function beside the entry function.

    Args:
        caller: the function that calls it; 0 is the entry function.
        private: whether it is private to the module.
        composite: whether it has the attribute of a composite function.
    """

    caller: int = MAIN
    private: bool = True
    composite: bool = False

    def __post_init__(self) -> None:
        require_int("caller", self.caller, least=0)
        require_bool("private", self.private)
        require_bool("composite", self.composite)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Join(Record):
    """One more output: the results of two sites of one function, joined by ``kind``, one of ``JOINS``."""

    kind: str = "add"
    left: int = 0
    right: int = 1

    def __post_init__(self) -> None:
        member("join", self.kind, JOINS)
        require_int("left", self.left, least=0)
        require_int("right", self.right, least=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSpec:
    """What failures and tables call a graph, in the place of an op."""

    name: str = "graph"
    family: str = "graph"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Graph(Record):
    """Several sites in one module.

    Args:
        sites: one to ``MOST_SITES`` sites. The order is that of the bindings. All have the same fills.
        functions: the functions beside the entry function. The sites of each, with those of the functions that it
            calls, follow one another.
        joins: outputs that join the results of two sites.
        equal_names: whether all variables have one name.
        nested_outputs: whether the entry function returns a tuple for each site, instead of one tuple.
        bound_constants: whether constants are bound to variables.

    Raises:
        ValueError: if no graph can be built of these values; the message names the value and what was expected.
    """

    nested: ClassVar[dict[str, type[Record]]] = {"sites": Site, "functions": Function, "joins": Join}

    sites: tuple[Site, ...]
    functions: tuple[Function, ...] = ()
    joins: tuple[Join, ...] = ()
    equal_names: bool = False
    nested_outputs: bool = False
    bound_constants: bool = False

    def __post_init__(self) -> None:
        for name, kind in (("sites", Site), ("functions", Function), ("joins", Join)):
            for item in require_tuple(name, getattr(self, name), empty=name != "sites"):
                if not isinstance(item, kind):
                    raise ValueError(f"elements of {name} must be {kind.__name__} objects, not {item!r}")
        for name in ("equal_names", "nested_outputs", "bound_constants"):
            require_bool(name, getattr(self, name))
        require(len(self.sites) <= MOST_SITES, f"{len(self.sites)} sites, at most {MOST_SITES} are supported")
        fills = {site.case.fills for site in self.sites}
        require(len(fills) == 1, f"all sites must have the same fills, not {sorted(fills)}")
        self._check_functions()
        for index, site in enumerate(self.sites):
            self._check_data(index, site)
            self._check_weight(index, site)
        for join in self.joins:
            self._check_join(join)

    # --- what the harness asks of a case ---------------------------------------------------------------

    @property
    def spec(self) -> GraphSpec:
        """What stands in the place of an op."""
        return GraphSpec()

    @property
    def op(self) -> str:
        """The name in tables."""
        return "graph"

    @property
    def dtype(self) -> str:
        """The dtype of the first data."""
        return self.sites[0].case.dtype

    @property
    def fills(self) -> tuple[str, ...]:
        """Recipes of the inputs."""
        return self.sites[0].case.fills

    @property
    def seed(self) -> int:
        """The seed of the first inputs."""
        return self.sites[0].case.seed

    @property
    def cases(self) -> tuple[Case, ...]:
        """The cases of the sites."""
        return tuple(site.case for site in self.sites)

    # --- structure ------------------------------------------------------------------------------------

    @property
    def has_condition(self) -> bool:
        """Whether the entry function takes a condition."""
        return any(site.place in CONDITIONAL for site in self.sites)

    @cached
    def roots(self) -> tuple[int, ...]:
        """For each site, the site whose parameter is its data, or itself."""
        roots: list[int] = []
        for index, site in enumerate(self.sites):
            roots.append(roots[site.of] if site.data in (SAME, PADDED) else index)
        return tuple(roots)

    def pad_owner(self, index: int) -> int:
        """Return the site that makes the padded tensor that a site reads."""
        site = self.sites[index]
        return self.pad_owner(site.of) if site.data == PADDED else index

    def weight_owner(self, index: int) -> int:
        """Return the site whose weight a site reads."""
        of = self.sites[index].weight_of
        return index if of in (-1, index) else self.weight_owner(of)

    def callers(self, function: int) -> tuple[int, ...]:
        """Return a function and all functions through which it is called, from the inside."""
        path = [function]
        while path[-1] != MAIN:
            path.append(self.functions[path[-1] - 1].caller)
        return tuple(path)

    def inside(self, function: int) -> tuple[int, ...]:
        """Return the sites of a function and of all functions that it calls."""
        return tuple(i for i, site in enumerate(self.sites) if function in self.callers(site.function))

    def _check_functions(self) -> None:
        for number, function in enumerate(self.functions, 1):
            require(function.caller < number, f"caller of function {number} must be below it, not {function.caller}")
        for index, site in enumerate(self.sites):
            most = len(self.functions)
            require(site.function <= most, f"function of site {index} must be at most {most}, not {site.function}")
        for number in range(1, len(self.functions) + 1):
            sites = self.inside(number)
            require(bool(sites), f"function {number} has no site")
            require(sites[-1] - sites[0] + 1 == len(sites), f"the sites of function {number} must follow one another")

    def _check_data(self, index: int, site: Site) -> None:
        if site.data == OWN:
            return
        require(site.of < index, f"of of site {index} must be below {index}, not {site.of}")
        source = self.sites[site.of]
        seen = site.data == RESULT or source.function in self.callers(site.function)
        require(seen, f"the function of site {index} cannot see the data of site {site.of}")
        require(
            adopt(site.case, source.case, site.data) == site.case, f"site {index} has other data than site {site.of}"
        )
        if site.data == PADDED:
            require(source.place not in ENCLOSED, f"site {index} cannot read a pad {source.place!r}")
            require(
                site.place not in ENCLOSED, f"the pad of site {index} is that of site {site.of}, not {site.place!r}"
            )
            require(not site.unread and not site.written, f"site {index} has no pad of its own")
            extra = set(site.case.extra_outputs) - {"step"}
            require(not extra, f"site {index} has no pad of its own to return")

    def _check_weight(self, index: int, site: Site) -> None:
        if site.weight_of in (-1, index):
            require(site.weight_of == -1, f"weight_of of site {index} must be -1 for a weight of its own")
            return
        require(site.weight_of < index, f"weight_of of site {index} must be below {index}, not {site.weight_of}")
        case, other = site.case, self.sites[site.weight_of].case
        require(case.spec.weighted and other.spec.weighted, f"site {index} has no weight to share")
        mine = (case.kernel_dims, case.weight_layout, case.kernel_dtype, case.constant_weight)
        theirs = (other.kernel_dims, other.weight_layout, other.kernel_dtype, other.constant_weight)
        require(mine == theirs, f"site {index} has another weight than site {site.weight_of}")

    def _check_join(self, join: Join) -> None:
        for index in (join.left, join.right):
            require(index < len(self.sites), f"a join names site {index}, but there are {len(self.sites)}")
        left, right = self.sites[join.left], self.sites[join.right]
        require(join.left != join.right, f"a join needs two sites, not {join.left} twice")
        require(left.function == right.function, "a join needs two sites of one function")
        require(left.case.result_dtype == right.case.result_dtype, "a join needs results of one dtype")
        require(_shape(left.case) == _shape(right.case), "a join needs results of one shape")
        fixed = not left.case.symbolic and not right.case.symbolic
        require(fixed, "a join needs results of static lengths")

    # --- JSON and shrinking ---------------------------------------------------------------------------

    def dumps(self) -> str:
        """Return the graph as one line of JSON."""
        return json.dumps(self.to_json(), allow_nan=False)

    def to_json(self) -> dict[str, Any]:
        """Return the graph as JSON values, with the version of the format of its cases."""
        return {"format": FORMAT, **self.to_dict()}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Return the graph that ``to_json`` wrote.

        Raises:
            ValueError: if it is not such a graph; the message names what is wrong.
        """
        if not isinstance(value, dict):
            raise ValueError(f"a graph must be a JSON object, not a {type(value).__name__}")
        fields = {name: content for name, content in value.items() if name != "format"}
        if isinstance(sites := value.get("sites"), list):
            fields["sites"] = [_upgraded(site, value.get("format")) for site in sites]
        return cls.from_dict(fields)

    def simpler(self) -> Iterator["Graph"]:
        """Yield the next simpler graphs, largest change first. All are valid and differ from this one."""
        # By name: candidates are made of graphs, so that an import would be a circle.
        candidates: Iterator[Graph] = import_module("foldproof.case.shrinking.graphs").simpler(self)
        return candidates


def _upgraded(site: object, version: object) -> object:
    """Return the JSON of a site, with its case in the current format."""
    if not isinstance(site, dict) or not isinstance(case := site.get("case"), dict):
        return site
    return site | {"case": upgrade({"format": version, **case})}


def _shape(case: Case) -> tuple[int, ...]:
    return tuple(case.result_dims[letter] for letter in case.operand_layout)
