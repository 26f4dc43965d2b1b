"""The fold of a case, as cases: its pads moved into the padding, and the same question in denser shapes.

case --spatial widths of all pads--> padding of the consumer       (batch and channel widths stay in their pads)
"""

from collections.abc import Iterator
from dataclasses import replace

from foldproof.case import MIRRORED_MODES, Axis, Case, Pad, Step, Widths


def spatial_widths(case: Case) -> dict[str, list[Widths]]:
    """Return the widths (before, after) of all pads of the data along each spatial axis, in their order."""
    widths = {letter: [axis.pad] for letter, axis in case.lettered_axes}
    for step in case.steps:
        for letter, before, after in step.widths:
            if letter in widths:
                widths[letter].append((before, after))
    return widths


def fold_candidates(case: Case) -> Iterator[Case]:
    """Yield the case with all spatial widths in the padding, in each way that could be right.

    An average pool has two ways, which count the padding or do not; any other op has one. Nothing is yielded if there
    are no spatial widths, if the weight is padded, or if no padding attribute can express the widths.
    """
    widths = spatial_widths(case)
    if case.pads_weight or not any(any(sides) for pads in widths.values() for sides in pads):
        return
    remaining = Pad() if case.pad.batch == case.pad.channel == (0, 0) else case.pad
    steps = tuple(rest for step in case.steps if (rest := _drop_spatial(case, step)) is not None)
    for flag in (True, False) if case.spec.family == "avg_pool" else (False,):
        try:
            axes = tuple(
                _merge_axis(axis, widths[letter], transposed=case.spec.transposed)
                for letter, axis in case.lettered_axes
            )
            yield replace(case, axes=axes, pad=remaining, steps=steps, extra_outputs=(), count_include_pad=flag)
        except ValueError:  # no window fits, or a parameter follows a padded axis: no attribute expresses this
            return


def _merge_axis(axis: Axis, pads: list[Widths], *, transposed: bool) -> Axis:
    """Add the widths of all pads to the padding. A transposed convolution crops by its padding, in steps of stride."""
    scale = -axis.stride if transposed else 1
    before, after = (own + scale * sum(sides) for own, sides in zip(axis.padding, zip(*pads, strict=True), strict=True))
    return replace(axis, pad=(0, 0), padding=(before, after))


def _drop_spatial(case: Case, step: Step) -> Step | None:
    """Return a pad without its spatial widths, None if no widths remain; any other step unchanged."""
    if step.kind != "pad":
        return step
    rest = tuple(width for width in step.widths if width[0] not in case.spec.spatial and any(width[1:]))
    return replace(step, widths=rest) if rest else None


def denser_shapes(case: Case) -> Iterator[Case]:
    """Yield the case in shapes whose windows read all elements: stride and dilation 1, no ``ceil_mode``, three kernels.

    - A kernel of 1 reads the border alone.
    - A kernel of 2 reads an element of the border with one neighbour.
    - The widest kernel reaches from own padding over the border into the data.

    A mirrored border before a max_pool is legal because of its kernel: each window holds the elements whose copies it
    reads. There the kernel, strides and dilation stay, and the lengths differ.

    An axis keeps its length if the steps fix it. A shape that is impossible is left out.
    """
    if case.spec.family == "max_pool" and case.pad.mode in MIRRORED_MODES:
        yield from _mirrored_lengths(case)
        return
    widths = spatial_widths(case)
    fixed = _fixed_letters(case)
    for kernel in (1, 2, 0):
        axes = []
        for letter, axis in case.lettered_axes:
            widest = 2 + max(0, *axis.padding, *(sum(sides) for sides in zip(*widths[letter], strict=True)))
            axes.append(_densify(case, axis, widths[letter], kernel or widest, fixed=letter in fixed))
        try:
            yield replace(case, axes=tuple(axes), ceil_mode=False)
        except ValueError:  # the padding crops all of it
            continue


def other_lengths(case: Case) -> Iterator[Case]:
    """Yield the case with other lengths of a spatial axis, one axis at a time: enough to stand for all lengths.

    The windows stay as they are. From some length on, a further stride adds a window in the middle of the data, and the
    windows at both ends touch what they touched before. An axis keeps its length if the steps fix it. A length that is
    impossible, where no window fits, is left out.
    """
    widths = spatial_widths(case)
    fixed = _fixed_letters(case)
    for i, (letter, axis) in enumerate(case.lettered_axes):
        added = sum(abs(width) for sides in (*widths[letter], axis.padding) for width in sides)
        longest = added + case.window_extent(axis) + 2 * axis.stride
        for size in () if letter in fixed else range(1, longest):
            try:
                yield replace(case, axes=(*case.axes[:i], replace(axis, size=size), *case.axes[i + 1 :]))
            except ValueError:
                continue


def _fixed_letters(case: Case) -> set[str]:
    """Return the spatial axes whose length the steps fix."""
    fixed = {step.axis for step in (*case.producers, *case.steps) if step.follows_axis}
    return fixed | set(case.spec.spatial) - set(case.input_layout)


def _mirrored_lengths(case: Case) -> Iterator[Case]:
    """Yield the case with longer axes, so that the last window ends at every place; with short ones if symbolic."""
    reach = max(2 * axis.stride + (axis.kernel - 1) * axis.dilation for axis in case.axes)
    fixed = _fixed_letters(case)
    for more in range(-max(axis.size for axis in case.axes), reach + 1):
        axes = tuple(
            axis
            if letter in fixed
            else replace(axis, size=max(axis.size + more, 1 if letter in case.symbolic else axis.size))
            for letter, axis in case.lettered_axes
        )
        if axes == case.axes:
            continue
        try:
            yield replace(case, axes=axes)
        except ValueError:  # no window fits, or the border is wider than the data
            continue


def _densify(case: Case, axis: Axis, pads: list[Widths], kernel: int, *, fixed: bool) -> Axis:
    """Return the axis with another kernel and data at least as long; of fixed length, with a kernel that fits."""
    dense = replace(axis, stride=1, dilation=1, output_padding=0)
    if fixed:
        most = axis.size + sum(map(sum, pads)) + (0 if case.spec.transposed else sum(axis.padding))
        return replace(dense, kernel=max(1, min(kernel, most)))
    # A transposed convolution crops its result by its padding, so it needs more data to show anything.
    more = sum(axis.padding) if case.spec.transposed else 0
    return replace(dense, kernel=kernel, size=max(axis.size, kernel) + more)
