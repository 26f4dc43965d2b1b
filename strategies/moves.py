"""Steps that move axes of a draft, or insert and remove those of one element."""

from hypothesis import strategies as st

from foldproof.case import Step
from foldproof.strategies.builder import Draft


def permute(draft: Draft) -> None:
    """The standard layouts, or their letters backwards, in front of some step."""
    first, last = "NC" + draft.spec.spatial, "N" + draft.spec.spatial + "C"
    behind = draft.data_layout or draft.spec.data_layout
    sources = [layout for layout in (first, last, last[::-1], first[::-1]) if layout != behind]
    put_in(draft, Step(kind="permute_dims", source=draft.draw(st.sampled_from(sources))))


def move(draft: Draft) -> None:
    """Axes that a step moves, or one of one element that it takes away."""
    if draft.draw(st.booleans()):
        permute(draft)
    else:
        drop_unit(draft)


def drop_unit(draft: Draft) -> None:
    """A unit axis somewhere in front of some step."""
    behind = draft.data_layout or draft.spec.data_layout
    place = draft.draw(st.integers(0, len(behind)))
    kind = draft.draw(st.sampled_from(["squeeze", "reshape"]))
    put_in(draft, Step(kind=kind, source=behind[:place] + "U" + behind[place:]))


def put_in(draft: Draft, moved: Step) -> None:
    """A structural step at some place of the chain."""
    place = draft.draw(st.integers(0, len(draft.steps)))
    draft.steps.insert(place, moved)
