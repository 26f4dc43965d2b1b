"""The bindings of one Relax function: the value of each variable, its readers, and the edits to make.

A consumer that changes keeps its variable, so its readers, its type and its name stay as they are. A binding is removed
when an edit takes its last use. ``rebuild`` keeps every other binding, block and branch. One walk collects, and one
rebuilds, so that time is linear in the number of bindings.
"""

from collections.abc import Callable, Iterator
from typing import Any

import tvm_ffi
from tvm import ir, relax

from foldproof.fold.constants import CONSTANT_OPS, choose, evaluate
from foldproof.fold.effects import Effects
from foldproof.fold.facts import Kind, PadFacts, Refused, Step
from foldproof.fold.joins import JOINING, Graph, Join, find_join
from foldproof.fold.kernel_calls import Kernel, read_call
from foldproof.fold.kernels import Node
from foldproof.fold.reader import CALL_TIR, CALLS, CONSUMERS, PAD, STEPS, data_of_pad, op_name, read_pad, read_step
from foldproof.fold.spellings import BORDERING, CONCAT, SPLIT, may_border, may_crop, read_border, read_crop
from foldproof.fold.varmap import VarMap

Use = tuple[relax.Var | None, int]
"""Who reads a variable, and as which operand; None is the function's result."""


def _key(user: relax.Var | None, position: int) -> tuple[int, int]:
    return (0 if user is None else user.__chandle__(), position)


PrimPads = Callable[[ir.Call], PadFacts | Refused | None]
"""The facts of a call of a PrimFunc that is a pad, a refusal if it only looks like one, None for any other call."""


PrimKernels = Callable[[ir.GlobalVar], Node | None]
"""What the PrimFunc that a ``call_tir`` calls computes, if it is elementwise."""


def has_pads(sequence: relax.SeqExpr, prim_pads: PrimPads) -> bool:
    """Return whether a function's body, its branches or local functions hold a pad of either form: one plain walk."""
    return any(_is_pad(op_name(value), value, prim_pads) for value in _all_values(sequence))


_PADDING = BORDERING | {PAD, *CALLS}
"""Nothing else is a pad, or fills the border of one."""


def _is_pad(name: str, value: Any, prim_pads: PrimPads) -> bool:
    if name not in _PADDING:
        return False
    return name == PAD or may_border(name, value) or (name in CALLS and prim_pads(value) is not None)


def _all_values(sequence: relax.SeqExpr) -> Iterator[Any]:
    for block in sequence.blocks[:]:
        for binding in block.bindings[:]:
            value = binding.value
            yield value
            if isinstance(value, relax.If):
                yield from _all_values(value.true_branch)
                yield from _all_values(value.false_branch)
            elif isinstance(value, relax.Function):
                yield from _all_values(value.body)


def _read_pad(name: str, value: Any, prim_pads: PrimPads) -> PadFacts | Refused | None:
    """Return the facts of a pad of either form, a refusal if it is not understood, None for anything else."""
    if name == PAD:
        return read_pad(value)
    return prim_pads(value) if name in CALLS else None


class Bindings:
    """The bindings of a function, the readers of each, and the edits to make.

    ``explain`` is whether somebody reads the reports of these edits.
    """

    def __init__(
        self,
        function: relax.Function,
        prim_pads: PrimPads,
        kernels: PrimKernels = lambda _: None,
        effects: Effects | None = None,
        *,
        explain: bool = True,
    ) -> None:
        self.function, self.explain = function, explain
        self.prim_pads = prim_pads
        self.prim_kernels = kernels
        self.effects = None if effects is None else effects(function)
        self.values: VarMap[Any] = VarMap()
        self._named: VarMap[Any] = VarMap()  # the variables that are other names of variables
        self.home: VarMap[Any] = VarMap()
        self._users: VarMap[dict[tuple[int, int], Use]] = VarMap()
        self.consumers: list[relax.Var] = []
        self.pads: list[relax.Var] = []
        self.unknown: list[tuple[relax.Var, Refused]] = []
        self.crops: VarMap[bool] = VarMap()
        self.aliases: VarMap[Any] = VarMap()
        self.replaced: VarMap[Any] = VarMap()
        self.inserted: VarMap[list[relax.VarBinding]] = VarMap()
        self.preceding: VarMap[list[relax.VarBinding]] = VarMap()
        self._facts: VarMap[PadFacts] = VarMap()
        self._reads: VarMap[list[tuple[relax.Var, int]]] = VarMap()
        self._sources: VarMap[Any] = VarMap()
        self._padded: VarMap[bool] = VarMap()
        self._simple_steps: VarMap[tuple[Step, int] | None] = VarMap()
        self._kernels: VarMap[Kernel] = VarMap()
        self._joins: VarMap[Join | None] = VarMap()
        self._constants: VarMap[Any] = VarMap()
        self._order: VarMap[float] = VarMap()
        self._added: VarMap[tuple[relax.Var, float]] = VarMap()
        self.joining: list[relax.Var] = []
        self.dead: VarMap[bool] = VarMap()
        self.shared: VarMap[Any] = VarMap()  # what shared_pads found, once for each pad
        self._collect(function.body)

    def _collect(self, sequence: relax.SeqExpr) -> None:
        for block in sequence.blocks[:]:
            for binding in block.bindings[:]:
                self.home[binding.var] = block
                self._note(binding)
        self._use(sequence.body, None)

    def _note(self, binding: Any) -> None:
        var, value = binding.var, binding.value
        named = isinstance(binding, relax.VarBinding) or _keeps_type(binding)
        self.values[var] = value if named else None
        name = op_name(value)
        if named and name in CONSUMERS:
            self.consumers.append(var)
            self._use(value, var)
        elif not name and isinstance(value, relax.If):
            self._use(value.cond, var)
            self._collect(value.true_branch)
            self._collect(value.false_branch)
        elif not name and isinstance(value, relax.Function):
            self._collect(value.body)
        else:
            self._use(value, var)
            if named and not name and isinstance(value, relax.Var):
                self._named[var] = value
            if named:
                self._note_constant(name, var, value)
            self._note_pad(name, var, value, plain=named)

    def _note_constant(self, name: str, var: relax.Var, value: Any) -> None:
        """Note a constant that is computed of constants, which were noted before."""
        if name in CONSTANT_OPS and all(read in self._constants for read, _ in self._reads[var]):
            constant = evaluate(value, self.resolve)
        elif name == "relax.where":
            constant = choose(value, self.resolve)
        else:
            return
        if constant is not None:
            self._constants[var] = constant

    def _note_pad(self, name: str, var: relax.Var, value: Any, *, plain: bool = True) -> None:
        facts = _read_pad(name, value, self.prim_pads) if name in _PADDING else None
        if isinstance(facts, PadFacts) and not plain:
            facts = Refused(Kind.UNKNOWN_PAD, "the pad is bound by match_cast, which may give it another type")
        if isinstance(facts, Refused):
            self.unknown.append((var, facts))
        elif facts is not None:
            self._facts[var] = facts
            self._sources[var] = data_of_pad(value)
            self.pads.append(var)
            self._padded[var] = True
        elif plain and name == CONCAT and (border := read_border(value, self.resolve)) is not None:
            self._facts[var], self._sources[var] = border
            self.pads.append(var)
            self._padded[var] = True
        elif plain and self._padded and self._reads_padded(var):
            self._note_crop(name, var, value)

    def _reads_padded(self, var: relax.Var) -> bool:
        for read, _ in self._reads[var]:  # noqa: SIM110, a generator would cost as much again
            if read in self._padded:
                return True
        return False

    def _note_crop(self, name: str, var: relax.Var, value: Any) -> None:
        """Note what comes after a pad: a crop in another spelling is a pad only there."""
        if may_crop(name, value):
            crop = read_crop(name, value, self.resolve)
            if crop is not None:
                self._facts[var], self._sources[var] = crop
                self.pads.append(var)
                self.crops[var] = self._padded[var] = True
        passes = name in STEPS or name in _OTHERS or isinstance(value, relax.Var)
        if passes or (name == CALL_TIR and self._simple_step(var) is not None):
            self._padded[var] = True
        if (name in _OTHERS or name == CONCAT) and len(self._reads[var]) > 1:
            self.joining.append(var)

    def _use(self, value: Any, user: relax.Var | None) -> None:
        reads = _operands(value)
        if user is not None:
            self._reads[user] = reads
        for var, position in reads:
            self._users.setdefault(var, {})[_key(user, position)] = (user, position)

    def users(self, var: relax.Var) -> list[Use]:
        """Return the readers of ``var``, in the order of the bindings."""
        return list(self._users.get(var, {}).values())

    def value(self, expr: Any) -> Any:
        """Return the value that ``expr`` is bound to, through aliases, or ``expr`` itself."""
        name = self.alias(expr)
        value = self.values.get(name)
        return name if value is None else value

    def alias(self, expr: Any) -> Any:
        """Return the variable that ``expr`` is another name of, or ``expr``."""
        if self._named:
            while isinstance(expr, relax.Var) and expr in self._named:
                expr = self._named[expr]
        return expr

    def pad(self, var: Any) -> PadFacts | None:
        """Return the facts of the pad that ``var`` is bound to, None if it is not a pad."""
        return self._facts.get(var)

    def source(self, pad: relax.Var) -> Any:
        """Return the tensor that the pad ``pad`` pads."""
        return self._sources[pad]

    def step(self, var: Any) -> tuple[Step, int] | None:
        """Return the facts of the step that ``var`` is bound to, and the number of its data operand, or None.

        The number is -1 if several operands come from the data, see ``join``.
        """
        simple = self._simple_step(var)
        if simple is None and (join := self.join(var)) is not None:
            return join.step, -1
        return simple

    def _simple_step(self, var: Any) -> tuple[Step, int] | None:
        """Return the step, and the number of its only data operand, None if it has not one."""
        if var not in self._simple_steps:
            pad = self.pad(var)
            source = None if pad is None else self.source(var)
            found = read_step(self.values.get(var), self.resolve, pad, source)
            self._simple_steps[var] = found or (self._kernel_step(var) if pad is None else None)
        return self._simple_steps[var]

    def _kernel_step(self, var: Any) -> tuple[Step, int] | None:
        """Return the step that the call of an elementwise PrimFunc is."""
        call = self.values.get(var)
        if op_name(call) != CALL_TIR:
            return None
        kernel = read_call(call, self.prim_kernels, self.resolve, self.is_computed)
        if kernel is None:
            return None
        self._kernels[var] = kernel
        return kernel.step, kernel.parameter

    def kernel(self, var: Any) -> Kernel | None:
        """Return the elementwise kernel that ``var`` calls, known once its step is; None if it is another value."""
        return self._kernels.get(var) if self._kernels else None

    def is_computed(self, expr: Any) -> bool:
        """Return whether ``expr`` is neither a constant nor a parameter of the function."""
        name = self.alias(expr)
        bound = isinstance(name, relax.Var) and name in self.values
        return bound and not isinstance(self.resolve(name), ir.GenericConst)

    def join(self, var: relax.Var) -> Join | None:
        """Return the join that ``var`` is bound to, None if it is not one."""
        if var not in self._joins:
            joins = op_name(self.values.get(var)) in JOINING  # asked first: few do, and the search needs much
            self._joins[var] = self._find_join(var) if joins else None
        return self._joins[var]

    def _find_join(self, var: relax.Var) -> Join | None:
        graph = Graph(
            alias=self.alias,
            value=self.values.get,
            resolve=self.resolve,
            order=self._order_of,
            step=self._simple_step,
            data=self.data,
            near=lambda name: name in self.home and bool(self.home[name].same_as(self.home[var])),
        )
        return find_join(graph, var)

    def _order_of(self, name: Any) -> float:
        """Return the place of a binding among all, -1 for a parameter."""
        if name in self._added:
            neighbour, place = self._added[name]
            return self._order_of(neighbour) + place
        if not self._order:
            for place, (key, _) in enumerate(self.values.items()):
                self._order[key] = place
        return float(self._order.get(name, -1))

    def resolve(self, expr: Any) -> Any:
        """Return the value that ``expr`` is bound to, or the constant that it computes of constants."""
        if not self._constants:
            return self.value(expr)
        return self._constants.get(self.alias(expr)) or self.value(expr)

    def list_ops(self) -> set[str]:
        """Return the names of all operators that the function calls, those of its branches included."""
        return {name for value in _all_values(self.function.body) if (name := op_name(value))}

    def data(self, var: relax.Var, index: int) -> Any:
        """Return the data operand, of number ``index``, of the step or the pad that ``var`` is bound to."""
        if index < 0 and (join := self.join(var)) is not None:
            return join.source
        if self.pad(var) is not None:
            return self.source(var)
        return self.values[var].args[1].fields[index] if var in self._kernels else self.values[var].args[index]

    def visible(self, expr: Any, user: relax.Var | None) -> bool:
        """Return whether ``expr`` may be named where ``user`` is bound: dataflow variables are local to their block."""
        if not isinstance(expr, relax.DataflowVar):
            return True
        return user is not None and self.home[expr].same_as(self.home[user])

    def replace(self, var: relax.Var, value: ir.Call) -> None:
        """Bind ``var`` to ``value`` from now on, and remove what only the old value read."""
        unread = self._forget(var)
        for memory in (self._simple_steps, self._joins, self._kernels):
            memory.pop(var)
        self.crops.pop(var)
        if self._facts.get(var) is not None:  # a pad becomes another one
            self._facts[var], self._sources[var] = read_pad(value), data_of_pad(value)
        self.values[var] = self.replaced[var] = value
        self._use(value, var)
        self._bury(unread)

    def add(self, var: relax.Var, value: ir.Call, *, after: relax.Var) -> None:
        """Bind a new variable right after another one."""
        self._add(var, value, after, 0.5)
        self.inserted.setdefault(after, []).append(relax.VarBinding(var, value, value.span))

    def precede(self, name: str, value: ir.Call, *, before: relax.Var) -> relax.Var:
        """Bind a new variable, which nothing but ``before`` needs to see, right before that one."""
        local = isinstance(self.home[before], relax.DataflowBlock)
        var = (relax.DataflowVar if local else relax.Var)(name, value.ty)
        self._add(var, value, before, -0.5)
        self.preceding.setdefault(before, []).append(relax.VarBinding(var, value, value.span))
        return var

    def _add(self, var: relax.Var, value: ir.Call, neighbour: relax.Var, place: float) -> None:
        self._added[var] = (neighbour, place + len(self.values) / 2**32)
        self.values[var], self.home[var] = value, self.home[neighbour]
        self._use(value, var)
        self._note_pad(op_name(value), var, value)

    def _forget(self, user: relax.Var) -> list[relax.Var]:
        """Remove ``user`` from the readers of its operands, and return these."""
        reads = self._reads[user]
        for var, position in reads:
            del self._users[var][_key(user, position)]
        return [var for var, _ in reads]

    def _bury(self, unread: list[relax.Var]) -> None:
        """Remove the pads, steps and aliases that nothing reads any more, and then what only they read."""
        while unread:
            var = unread.pop()
            if not self._users.get(var) and var not in self.dead and self._removable(var):
                self.dead[var] = True
                unread += self._forget(var)

    def _removable(self, var: relax.Var) -> bool:
        """Return whether a fold can orphan ``var``. An output of a dataflow block without a reader counts, too."""
        value = self.values.get(var)
        known = isinstance(value, relax.Var) or self.pad(var) is not None or op_name(value) in _REMOVABLE
        return known or (op_name(value) == CALL_TIR and self._simple_step(var) is not None)


_OTHERS = JOINING | {SPLIT}

_REMOVABLE = STEPS | _OTHERS | CONSTANT_OPS | {"relax.take", "relax.shape_of", "relax.shape_to_tensor"}
"""Pure ops that a fold can orphan. ONNX's Gather reads the shape of the pad."""


def _operands(value: Any) -> list[tuple[relax.Var, int]]:
    """Return the variables that a value reads, each with its operand number if the value is a call of variables."""
    if isinstance(value, relax.Var):
        return [(value, 0)]
    reads = []
    args = value.args[:] if isinstance(value, ir.Call) else [None]  # a slice is five times as fast as an iterator here
    for i, arg in enumerate(args):
        if isinstance(arg, relax.Var):
            reads.append((arg, i))
        elif not isinstance(arg, ir.GenericConst):
            return [(var, 0) for var in relax.analysis.free_vars(value)]
    return reads


def _keeps_type(binding: relax.MatchCast) -> bool:
    """Return whether a ``match_cast`` is to the type that its value has: it names the value, and nothing else."""
    return bool(tvm_ffi.structural_equal(binding.ty, binding.value.ty))
