"""Cases: what a case aims at (a rule, or a refusal) is drawn first and uniformly, then what fits it.

    aim --draw--> Draft (a legal case) --break one condition--> Case

A refusal's case is a legal one with exactly one condition broken, so that a pass which forgets that condition folds it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from hypothesis import strategies as st

from harness import ops
from harness.case import MIRRORED_MODES, Case
from strategies import breaks, drafts
from strategies.drafts import Draft

# --- aims ---------------------------------------------------------------------------------------------

CONVS = ("conv",)
POOLS = ("max_pool", "avg_pool")
WEIGHTED = ("conv", "conv_transpose")
ZERO_PADDED = ("conv", "conv_transpose", "avg_pool")
EVERY = ("conv", "conv_transpose", "max_pool", "avg_pool")


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What a case is meant to reach. ``start`` draws a legal case; ``breaks``, if any, breaks one condition of it."""

    name: str
    families: tuple[str, ...]
    start: Callable[[st.DrawFn, ops.Op], Draft] = drafts.plain
    breaks: Callable[[Draft], None] | None = None
    ranks: tuple[int, ...] = (1, 2, 3)

    def fits(self, spec: ops.Op) -> bool:
        return spec.family in self.families and spec.rank in self.ranks


FOLDABLE = (
    Aim(name="neutral value", families=EVERY),
    Aim(name="neutral value, transposed", families=("conv_transpose",)),
    Aim(name="all widths 0", families=EVERY, start=drafts.identity),
    Aim(name="zero point through dequantize", families=ZERO_PADDED, start=drafts.dequantized),
    Aim(name="ceil_mode with the same windows", families=POOLS, start=drafts.ceil_kept),
    Aim(name="own padding that crops", families=("conv", "max_pool", "avg_pool"), start=drafts.cropping_padding),
    Aim(name="zero point, transposed", families=("conv_transpose",), start=drafts.dequantized),
    Aim(name="crop without own padding", families=("conv", "max_pool", "avg_pool"), start=drafts.crop_alone),
    Aim(name="same widths, axes out of order", families=CONVS, start=drafts.same_widths_out_of_order, ranks=(2, 3)),
)

UNFOLDABLE = (
    *(Aim(name=mode, families=EVERY, breaks=partial(breaks.mirrored, mode=mode)) for mode in MIRRORED_MODES),
    Aim(name="unknown mode", families=EVERY, breaks=breaks.unknown_mode),
    Aim(name="other value", families=EVERY, breaks=breaks.other_value),
    Aim(name="zero into max_pool", families=("max_pool",), breaks=breaks.zero_into_max_pool),
    Aim(name="nearly the lowest value", families=("max_pool",), breaks=breaks.nearly_lowest),
    Aim(name="fraction", families=ZERO_PADDED, breaks=breaks.fraction),
    Aim(name="crop", families=EVERY, breaks=breaks.crop_padded_again),
    Aim(name="batch padded", families=EVERY, breaks=breaks.batch_padded),
    Aim(name="channels padded", families=EVERY, breaks=breaks.channel_padded),
    Aim(name="weight padded", families=WEIGHTED, breaks=breaks.weight_padded),
    Aim(name="own padding not counted", families=("avg_pool",), breaks=breaks.padding_excluded),
    Aim(name="narrow integer sum, padding cancelled", families=("avg_pool",), start=drafts.cancelling_average),
    Aim(name="narrow integer sum", families=("avg_pool",), start=drafts.narrow_average),
    Aim(name="ceil_mode loses a window", families=POOLS, breaks=breaks.ceil_changed),
    Aim(name="ceil_mode loses a later window", families=POOLS, breaks=breaks.ceil_changed_later, ranks=(2, 3)),
    Aim(name="axes out of order", families=CONVS, breaks=breaks.out_of_order, ranks=(2, 3)),
    Aim(name="dequantize to the lowest", families=("max_pool",), start=drafts.dequantized),
    Aim(name="not the zero point", families=ZERO_PADDED, start=drafts.dequantized, breaks=breaks.requantized),
    Aim(name="zero point of the other sign", families=ZERO_PADDED, start=drafts.dequantized, breaks=breaks.other_sign),
    Aim(
        name="one channel's zero point",
        families=ZERO_PADDED,
        start=drafts.dequantized,
        breaks=breaks.one_channel_requantized,
    ),
    Aim(name="run-time zero point", families=ZERO_PADDED, start=drafts.dequantized, breaks=breaks.runtime_quantized),
    Aim(
        name="varying along a padded axis",
        families=ZERO_PADDED,
        start=drafts.dequantized,
        breaks=breaks.varying_along_padded,
    ),
)

AIMS = FOLDABLE + UNFOLDABLE


@cache
def _fitting(aims: tuple[Aim, ...], names: tuple[str, ...]) -> tuple[tuple[Aim, tuple[ops.Op, ...]], ...]:
    specs = tuple(ops.BY_NAME[name] for name in names)
    pairs = ((aim, tuple(spec for spec in specs if aim.fits(spec))) for aim in aims)
    return tuple((aim, fitting) for aim, fitting in pairs if fitting)


@st.composite
def _aimed(draw: st.DrawFn, aims: tuple[Aim, ...], names: tuple[str, ...]) -> Case:
    aim, specs = draw(st.sampled_from(_fitting(aims, names)))
    draft = aim.start(draw, draw(st.sampled_from(specs)))
    if aim.breaks is not None:
        aim.breaks(draft)
    return draft.finished()


@st.composite
def _mixed(draw: st.DrawFn, names: tuple[str, ...]) -> Case:
    """Several conditions broken at once, where they go together; what no aim describes."""
    spec = ops.BY_NAME[draw(st.sampled_from(names))]
    draft = drafts.legal(draw, spec, ordered=False)
    for broken in (breaks.unknown_mode, breaks.other_value, breaks.batch_padded, breaks.channel_padded):
        if draw(st.booleans()):
            broken(draft)
    if spec.pools:
        draft.ceil_mode = draw(st.booleans())
    return draft.finished()


def _names(given: tuple[str, ...]) -> tuple[str, ...]:
    for name in given:
        if name not in ops.BY_NAME:
            raise ValueError(f"op {name!r} is none of {', '.join(ops.NAMES)}")
    return given or ops.NAMES


def foldable_cases(*names: str) -> st.SearchStrategy[Case]:
    """Cases of the named ops (all, if none is named) whose pad may be folded. Raises ValueError for an unknown op."""
    return _aimed(FOLDABLE, _names(names))


def unfoldable_cases(*names: str) -> st.SearchStrategy[Case]:
    """Legal cases of the named ops with exactly one condition broken: the pad must stay, but for lucky geometry."""
    return _aimed(UNFOLDABLE, _names(names))


def cases(*names: str) -> st.SearchStrategy[Case]:
    """Cases of the named ops: three in ten foldable, six in ten not, the others with several conditions broken."""
    chosen = _names(names)
    kinds = (_aimed(FOLDABLE, chosen), _aimed(UNFOLDABLE, chosen), _mixed(chosen))
    return st.sampled_from([0, 0, 0, 1, 1, 1, 1, 1, 1, 2]).flatmap(lambda kind: kinds[kind])
