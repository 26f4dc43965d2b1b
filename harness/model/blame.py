"""Find the site whose fold changes the outputs of a model, and say who is at fault: the pass or TVM.

1. The pass folds half of the pads, then half of those, until one is left (``hiding``).
2. That site is cut out as a module of its own (``cut``), and executed with and without the pass.
3. As a case, it is checked against the NumPy reference; else TVM is asked again, without LLVM's optimizations.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from foldproof.checking.check import check
from foldproof.checking.failures import Failure
from foldproof.ir.base import Pass
from foldproof.ir.relax.targets import Target, parse_target
from foldproof.model.as_case import NotExpressible, as_case
from foldproof.model.compare import compare_programs, find_culprits, outputs_differ
from foldproof.model.cut import NotCut, cut_site
from foldproof.model.hiding import fold_only
from foldproof.model.importing import Model
from foldproof.model.pads import Place, find_places, list_pads
from foldproof.model.running import FILLS, Array, ModelProgram, make_inputs

THE_PASS, TVM, UNKNOWN = "the pass", "TVM", "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """Whose fault a difference is.

    Args:
        pads: the pads whose folds change the outputs, each ``function:variable``.
        fault: ``the pass``, ``TVM`` or ``unknown``.
        reason: what showed it.
        case: the site as a case, in JSON; None if a Case cannot express it.
    """

    pads: tuple[str, ...]
    fault: str
    reason: str
    case: dict[str, Any] | None = None


def find_blame(
    model: Model, fold: Pass, target: Target, inputs: Sequence[Sequence[Array]], pipeline: str = "default"
) -> Blame:
    """Return the site whose fold changes the outputs, and who is at fault.

    Args:
        model: The model, which is not changed.
        fold: The pass.
        target: The target that showed the difference.
        inputs: The inputs that showed it.
        pipeline: The pipeline that showed it.

    Raises:
        Exception: What TVM raises while it compiles or runs a part.
    """
    program = ModelProgram(model, target, pipeline)
    want = [program.run(program.load(arrays)) for arrays in inputs]
    pads = list_pads(model.module)

    def differs(shown: Sequence[int]) -> bool:
        folded = replace(model, module=fold_only(model.module, fold, shown))
        return outputs_differ(ModelProgram(folded, target, pipeline), want, inputs)

    culprits = find_culprits(len(pads), differs)
    names = tuple(":".join(pads[number].key) for number in culprits)
    if len(culprits) != 1:
        return Blame(pads=names, fault=UNKNOWN, reason="no single fold of them changes the outputs, all together do")
    keys = {pads[culprits[0]].key}
    places = [place for place in find_places(model.module) if (place.function, str(place.path.pad.name)) in keys]
    return _judge_places(_Judge(model, fold, target, pipeline), places, names)


@dataclass(frozen=True, slots=True)
class _Judge:
    model: Model
    fold: Pass
    target: Target
    pipeline: str


def _judge_places(judge: _Judge, places: Sequence[Place], names: tuple[str, ...]) -> Blame:
    last = Blame(pads=names, fault=UNKNOWN, reason="the pad has no reader that can be cut out")
    for place in places:
        last = replace(_judge(judge, place), pads=names)
        if last.fault != UNKNOWN:
            break
    return last


def _judge(judge: _Judge, place: Place) -> Blame:
    """Return the judgement on one site: by the reference where a Case expresses it, else by TVM at another level."""
    case = None
    try:
        case = as_case(place)
        check(case, judge.fold, complete=False)
    except NotExpressible:
        pass
    except Failure as failure:
        fault = TVM if failure.kind in ("OracleDisagreement", "PipelineDisagreement") else THE_PASS
        return Blame(
            pads=(),
            fault=fault,
            reason=f"{failure.fingerprint}: {failure.detail}",
            case=case.to_json() if case else None,
        )
    shown = case.to_json() if case else None
    try:
        module = cut_site(judge.model.module, place)
    except NotCut as error:
        return Blame(pads=(), fault=UNKNOWN, reason=f"the site cannot be cut out: {error}", case=shown)
    return replace(_judge_cut(judge, module), case=shown)


def _judge_cut(judge: _Judge, module: Any) -> Blame:
    site = Model(name="site", kind="relax", module=module, entry="main")
    folded = replace(site, module=judge.fold(module))
    optimized = _difference(site, folded, judge.target, judge.pipeline)
    if not optimized:
        return Blame(
            pads=(),
            fault=TVM,
            reason="the site alone computes the same bits with and without the pass; within the model TVM compiles it "
            "in another way",
        )
    plain = _difference(site, folded, parse_target("llvm", "default"), "default")
    if not plain:
        reason = f"the site alone differs ({optimized}), but not without optimizations of TVM and LLVM"
        return Blame(pads=(), fault=TVM, reason=reason)
    return Blame(pads=(), fault=THE_PASS, reason=f"the site alone differs, at every level of optimization: {plain}")


def _difference(site: Model, folded: Model, target: Target, pipeline: str) -> str:
    plain, other = (ModelProgram(each, target, pipeline) for each in (site, folded))
    compared = (compare_programs(plain, other, make_inputs(site.inputs, {}, fill), fill) for fill in FILLS)
    return next((each.difference for each in compared if each.difference), "")
