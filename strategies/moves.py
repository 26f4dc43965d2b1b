"""Steps that move axes of a draft, or insert and remove those of one element."""

from hypothesis import strategies as st

from foldproof.case import Step
from foldproof.strategies.builder import CaseBuilder


def permute(builder: CaseBuilder) -> None:
    """The standard layouts, or their letters backwards, before some step."""
    first, last = "NC" + builder.spec.spatial, "N" + builder.spec.spatial + "C"
    after = builder.data_layout or builder.spec.data_layout
    sources = [layout for layout in (first, last, last[::-1], first[::-1]) if layout != after]
    put_in(builder, Step(kind="permute_dims", source=builder.draw(st.sampled_from(sources))))


def move(builder: CaseBuilder) -> None:
    """Axes that a step moves, or one of one element that it takes away."""
    if builder.draw(st.booleans()):
        permute(builder)
    else:
        drop_unit(builder)


def drop_unit(builder: CaseBuilder) -> None:
    """A unit axis somewhere before some step."""
    after = builder.data_layout or builder.spec.data_layout
    place = builder.draw(st.integers(0, len(after)))
    kind = builder.draw(st.sampled_from(["squeeze", "reshape"]))
    put_in(builder, Step(kind=kind, source=after[:place] + "U" + after[place:]))


def put_in(builder: CaseBuilder, moved: Step) -> None:
    """A structural step at some place of the chain."""
    place = builder.draw(st.integers(0, len(builder.steps)))
    builder.steps.insert(place, moved)
