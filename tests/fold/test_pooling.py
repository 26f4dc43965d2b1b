"""foldproof.fold.pooling: windows, divisors and borders, against loops over all small geometries.

The loops know a pool as TVM's type inference and kernels have it (src/relax/op/nn/pooling.cc,
include/tvm/topi/nn/pooling.h): where windows start, which places they touch, and which of those are counted. They share
no arithmetic with the rules, which compare formulas.
"""

import random
from collections import Counter
from dataclasses import dataclass, replace
from itertools import product

import pytest
from tests.support.foldings import outcome_of
from tests.support.relax import legal_folds, legality
from tests.support.sites import INF, MAX1, decide, pad, site
from tvm import relax

from foldproof.case import Axis, Case, Step
from foldproof.fold import Consumer, Folded, FoldExplicitPadding, Kind, Refused
from foldproof.fold.bounds import Bounds
from foldproof.fold.facts import PadFacts, Site, Unary
from foldproof.fold.lengths import MOST_LENGTHS
from foldproof.fold.pooling import (
    every_window_holds_data,
    never_wins,
    refuse_other_divisor,
    refuse_other_sum,
    refuse_other_window_count,
)
from foldproof.fold.propagated import propagate
from foldproof.ir.relax import residual_pads as pads
from foldproof.ir.relax.build import build
from foldproof.oracle.fold_candidates import other_lengths
from foldproof.oracle.legality import Legality


@dataclass(frozen=True)
class Pool:
    """A pool over one axis, of ``data`` elements with ``pad`` around them."""

    data: int
    pad: tuple[int, int]
    own: tuple[int, int]
    kernel: int
    stride: int
    dilation: int
    ceil_mode: bool
    counted: bool = True

    @property
    def size(self):
        return self.data + sum(self.pad)

    @property
    def extent(self):
        return (self.kernel - 1) * self.dilation + 1

    @property
    def folded(self):
        (before, after), (more, most) = self.own, self.pad
        return replace(self, pad=(0, 0), own=(before + more, after + most), counted=True)

    def starts(self):
        """Where windows start, in the coordinates of what is pooled."""
        before, after = self.own
        overhang = self.stride - 1 if self.ceil_mode else 0
        found, start = [], -before
        while start + self.extent <= self.size + after + overhang:
            found.append(start)
            start += self.stride
        if self.ceil_mode and found and found[-1] >= self.size:
            found.pop()  # one that starts after the data goes, even if it fits
        return found

    def taps(self, start):
        return [start + i * self.dilation for i in range(self.kernel)]

    def divisor(self, start):
        last = self.size - 1 + self.own[1] if self.counted else self.size - 1
        return sum((self.counted or tap >= 0) and tap <= last for tap in self.taps(start))

    def holds_data(self, start):
        """Whether a window holds data, or nothing of the border either: then it is of own padding alone."""
        if not any(0 <= tap < self.size for tap in self.taps(start)):
            return True
        first = self.pad[0]
        return any(max(first, 0) <= tap < min(first + self.data, self.size) for tap in self.taps(start))

    def propagated(self, op="avg_pool", dtype="float32", value=0.0, steps=()):
        consumer = Consumer(
            op=f"{op}1d",
            family=op,
            spatial="W",
            layout="NCW",
            out_layout="NCW",
            padding=self.own,
            kernel=(self.kernel,),
            strides=(self.stride,),
            dilation=(self.dilation,),
            sizes=(self.size,),
            ceil_mode=self.ceil_mode,
            count_include_pad=self.counted,
        )
        pad = PadFacts(mode="constant", value=value, dtype=dtype, widths=((0, 0), (0, 0), self.pad))
        return propagate(Site(pad=pad, consumer=consumer, steps=steps), "W")


def pools(**choices):
    """All small ones whose window fits, and that a rule is asked about: no crop that is padded again."""
    options = {
        "data": range(1, 6),
        "pad": [(0, 1), (1, 0), (2, 0), (0, 3), (2, 2), (-1, 0), (0, -1), (0, -2), (1, -1)],
        "own": [(0, 0), (1, 0), (0, 1), (1, 1), (0, -1), (-1, 0), (2, 0), (3, 0), (1, -1)],
        "kernel": range(1, 4),
        "stride": range(1, 4),
        "dilation": range(1, 3),
        "ceil_mode": [False, True],
    } | choices
    for values in product(*options.values()):
        pool = Pool(**dict(zip(options, values, strict=True)))
        again = any(width < 0 < own for width, own in zip(pool.pad, pool.own, strict=True))
        if pool.size > 0 and pool.size + sum(pool.own) >= pool.extent and pool.data > 0 and not again:
            yield pool


def test_a_fold_that_loses_or_gains_a_window_is_refused():
    def refused(pool):
        found = bool(list(refuse_other_window_count(pool.propagated())))
        assert found == (len(pool.starts()) != len(pool.folded.starts())), pool
        return found

    asked = [refused(pool) for pool in pools()]
    assert sum(asked) > 100
    assert asked.count(False) > 1000


@pytest.mark.parametrize(("counted", "least"), [(False, 10), (True, 0)])
def test_a_fold_that_changes_a_divisor_is_refused(counted, least):
    """Where the number of windows stays: the one rule is asked before the other. What is counted ends with the
    padding, folded or not."""

    def refused(pool):
        found = bool(list(refuse_other_divisor(pool.propagated())))
        starts, folded = pool.starts(), pool.folded
        if not pool.propagated().adds:  # a crop: the flag stays
            folded = replace(folded, counted=counted)
        differ = [pool.divisor(s) for s in starts] != [folded.divisor(s) for s in folded.starts()]
        assert found == (differ and pool.ceil_mode), pool
        return found

    # What is not counted and has own padding is refused by another condition.
    def asked_for(pool):
        excluded = not counted and max(pool.own) > 0 and max(pool.pad) > 0
        return not excluded and len(pool.starts()) == len(pool.folded.starts())

    asked = [refused(pool) for pool in pools(counted=[counted]) if asked_for(pool)]
    assert sum(asked) >= least
    assert asked.count(False) > 500


def symbolic(pool, **options):
    """The pool on an axis whose length is not known."""
    propagated = pool.propagated(**options)
    consumer = replace(propagated.site.consumer, sizes=(None,))
    return replace(propagated, site=replace(propagated.site, consumer=consumer))


def lengths_of(pool):
    """The pool on data of all lengths up to one that is much longer than its window."""
    return [longer for n in range(1, 26) if (longer := replace(pool, data=n)).size > 0]


def geometries(**choices):
    wide = {"data": [9], "pad": [(0, 1), (1, 0), (1, 1), (2, 2), (0, 3), (-1, 0), (0, -2), (1, -1), (-1, 2)]}
    yield from pools(**wide, **choices)


def test_a_symbolic_length_is_refused_if_some_length_has_another_number_of_windows():
    def refused(pool):
        found = bool(list(refuse_other_window_count(symbolic(pool))))
        assert found == any(len(p.starts()) != len(p.folded.starts()) for p in lengths_of(pool)), pool
        return found

    asked = [refused(pool) for pool in geometries()]
    assert min(sum(asked), asked.count(False)) > 300


@pytest.mark.parametrize("counted", [False, True])
def test_a_symbolic_length_is_refused_if_some_length_has_another_divisor(counted):
    def refused(pool):
        found = bool(list(refuse_other_divisor(symbolic(pool))))
        adds = pool.propagated().adds
        differ = False
        for p in lengths_of(pool):
            folded = p.folded if adds else replace(p.folded, counted=counted)
            differ = differ or [p.divisor(s) for s in p.starts()] != [folded.divisor(s) for s in folded.starts()]
        assert found == (differ and pool.ceil_mode), pool
        return found

    def asked_for(pool):
        excluded = not counted and max(pool.own) > 0 and max(pool.pad) > 0
        return not excluded and not list(refuse_other_window_count(symbolic(pool)))

    asked = [refused(pool) for pool in geometries(counted=[counted]) if asked_for(pool)]
    assert asked.count(False) > 300
    assert sum(asked) > 10 or counted


def test_a_symbolic_length_holds_data_in_every_window_if_all_lengths_do():
    def holds(pool):
        found = every_window_holds_data(symbolic(pool, op="max_pool"))
        assert found == all(p.holds_data(s) for p in lengths_of(pool) for s in p.starts()), pool
        return found

    asked = [holds(pool) for pool in geometries()]
    assert min(sum(asked), asked.count(False)) > 300


@pytest.mark.parametrize(("pad", "kernel", "expected"), [((2, 2), 3, True), ((3, 0), 3, False), ((0, 3), 3, False)])
def test_widths_below_the_kernel_leave_no_window_without_data(pad, kernel, expected):
    pool = Pool(data=9, pad=pad, own=(0, 0), kernel=kernel, stride=2, dilation=1, ceil_mode=False)
    assert every_window_holds_data(symbolic(pool, op="max_pool")) is expected


def test_windows_that_are_too_wide_to_look_at_each_length_are_refused():
    pool = Pool(data=9, pad=(1, 0), own=(0, 0), kernel=MOST_LENGTHS, stride=1, dilation=1, ceil_mode=True)
    assert not every_window_holds_data(symbolic(pool, op="max_pool"))
    assert [refused.detail for refused in refuse_other_window_count(symbolic(pool))] == [
        "ceil_mode over axis W, whose length is not a constant"
    ]
    assert every_window_holds_data(symbolic(replace(pool, kernel=MOST_LENGTHS - 4), op="max_pool"))


def test_a_window_without_data_is_seen():
    def holds(pool):
        found = every_window_holds_data(pool.propagated("max_pool"))
        assert found == all(map(pool.holds_data, pool.starts())), pool
        return found

    asked = [holds(pool) for pool in pools()]
    assert min(sum(asked), asked.count(False)) > 500


@pytest.mark.parametrize(
    ("own", "pad", "stride", "ceil_mode", "kinds"),
    [
        ((0, 0), (1, 0), 1, False, [Kind.DTYPE]),
        ((0, 0), (0, 1), 1, False, [Kind.DTYPE]),
        ((1, 0), (0, 1), 1, False, []),
        ((0, 1), (0, 1), 1, False, []),
        ((0, 1), (0, -1), 1, False, [Kind.DTYPE]),
        ((0, 0), (0, 1), 2, True, []),  # the overhang is padded in any case
        ((0, 0), (0, 1), 1, True, [Kind.DTYPE]),
        ((0, 0), (0, -1), 2, True, [Kind.DTYPE]),  # crop and overhang cancel
        ((0, -1), (0, -1), 3, True, [Kind.DTYPE]),
        ((0, -1), (0, 1), 3, True, []),
    ],
)
def test_integers_keep_the_width_of_their_sums(own, pad, stride, ceil_mode, kinds):
    pool = Pool(data=6, pad=pad, own=own, kernel=2, stride=stride, dilation=1, ceil_mode=ceil_mode)
    assert [refused.kind for refused in refuse_other_sum(pool.propagated(dtype="int8"))] == kinds
    assert not list(refuse_other_sum(pool.propagated(dtype="int32")))
    assert not list(refuse_other_sum(pool.propagated(dtype="float32")))


@pytest.mark.parametrize(
    ("low", "plus_zero", "value", "ops", "expected"),
    [
        (0.0, True, 0.0, (), True),
        (0.0, True, -0.0, (), False),
        (0.0, False, 0.0, (), False),
        (0.0, True, 0.0, ("nn.relu",), True),
        (0.0, True, 0.0, ("abs",), False),  # the sign of its zero is not known
        (0.0, True, 0.0, ("nn.relu", "abs"), False),
        (0.0, False, -1.0, (), True),
        (1.0, False, 1.0, (), True),
        (1.0, False, 1.5, (), False),
        (-1.0, True, 0.0, (), False),
    ],
)
def test_a_border_never_wins_where_no_element_is_below(low, plus_zero, value, ops, expected):
    pool = Pool(data=6, pad=(1, 0), own=(0, 0), kernel=2, stride=1, dilation=1, ceil_mode=False)
    propagated = pool.propagated("max_pool", value=value, steps=tuple(Unary(op=op, dtype="float32") for op in ops))
    bounds = Bounds(low=low, high=9.0, plus_zero=plus_zero)
    assert never_wins(replace(propagated, border=replace(propagated.border, bounds=bounds))) is expected
    assert not never_wins(replace(propagated, border=replace(propagated.border, bounds=None)))


def max_pool(x, **attributes):
    return relax.op.nn.max_pool1d(x, **({"pool_size": 3} | attributes))


def folds(found):
    return isinstance(found, Folded)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(
    ("widths", "attributes", "expected"),
    [
        ((0, 0, 0, 0, 2, 2), {}, True),
        ((0, 0, 0, 0, 3, 0), {}, False),  # the first window holds the border alone
        ((0, 0, 0, 0, 0, 3), {}, False),
        ((0, 0, 0, 0, 4, 0), {"dilation": 2}, True),
        ((0, 0, 0, 0, 5, 0), {"dilation": 2}, False),
        ((0, 0, 0, 0, 2, 0), {"padding": (1, 0)}, False),
        ((0, 0, 0, 0, 1, 1), {"padding": (1, 1)}, True),
        ((0, 0, 0, 0, 2, 2), {"strides": 3}, True),
        ((0, 0, 0, 0, 0, 4), {"strides": 3}, False),  # of 12 elements: the last window starts at 9
        ((0, 0, 0, 0, 0, 3), {"strides": 4}, False),  # of 11: at 8
        ((0, 0, 0, 0, 0, 2), {"strides": 4}, True),  # of 10: at 4
    ],
)
def test_every_window_of_a_bounded_max_pool_holds_data(widths, attributes, expected, ceil_mode):
    if ceil_mode and attributes.get("strides") == 4 and widths[-1] == 2:
        expected = False  # one window more, at 8
    found = outcome_of(
        lambda x: max_pool(x, ceil_mode=ceil_mode, **attributes),
        value=0.0,
        widths=widths,
        first=[relax.op.nn.relu],
    )
    assert folds(found) is expected


@pytest.mark.slow
@pytest.mark.parametrize("letters", [(), ("W",)])
@pytest.mark.parametrize("op", ["avg_pool1d", "max_pool1d"])
def test_pools_of_all_kinds_of_geometry_fold_where_the_oracle_agrees(op, letters):
    """Few drawn cases have ceil_mode, dilation, stride and own padding at once; no compilation, so these are many."""
    rng, seen = random.Random(op), Counter()
    while sum(seen.values()) < 300:
        padding = (rng.randint(0, 1), rng.randint(0, 1))
        axis = Axis(
            size=rng.randint(1, 5),
            pad=(rng.randint(0, 3), rng.randint(0, 3)),
            kernel=rng.randint(1, 3),
            stride=rng.randint(1, 3),
            dilation=rng.randint(1, 2),
            padding=padding,
        )
        try:
            case = Case(
                op=op,
                axes=(axis,),
                ceil_mode=rng.random() < 0.7,
                count_include_pad=op == "avg_pool1d" and rng.random() < 0.6,
                producers=() if op == "avg_pool1d" else (Step(kind="relu"),),
                symbolic=letters,
            )
        except ValueError:
            continue  # no window fits
        before = build(case)
        folded = pads.count_residual_pads(FoldExplicitPadding()(before)) < pads.count_residual_pads(before)
        if folded:
            assert legal_folds(case) or axis.pad == (0, 0) or legality(case) is Legality.UNOBSERVABLE, case
        else:
            assert legality(case) is not Legality.LEGAL, case
        if folded and letters and legality(case) is not Legality.UNOBSERVABLE:
            assert all(legal_folds(other) or axis.pad == (0, 0) for other in other_lengths(case)), case
        seen[folded, case.ceil_mode] += 1
    assert min(seen[folded, ceil] for folded in (True, False) for ceil in (True, False)) > 15, seen


@pytest.mark.parametrize(
    ("sizes", "widths", "own", "kernel", "stride", "counts"),
    [
        # (5 + 0 - 2) / 2 rounded up, plus 1, is 3; the last window starts at 4, the end of the folded data
        (5, (0, 1), (0, 0), 2, 2, (2, 3)),
        # one before it moves the end of the data by one, after the start of that window
        (5, (1, 0), (0, 0), 2, 2, None),
        # a window may go without a stride, and without an overhang: 6 windows, the last one starts at 5 of 4 + 1
        (7, (1, 2), (0, 0), 2, 1, (5, 6)),
        # 7 elements, windows of 3 at 0, 3, 6; folded, 2 elements before 4 and 1 after: the last starts at 6 of 6
        (7, (2, 1), (0, 0), 3, 3, (2, 3)),
        # the same after own padding of 1: 8 elements to go over, and the last of 3 windows starts at 6 of 7
        (7, (2, 1), (1, 0), 3, 3, None),
    ],
)
def test_ceil_mode_is_refused_exactly_where_a_window_goes(sizes, widths, own, kernel, stride, counts):
    pool = replace(MAX1, ceil_mode=True, sizes=(sizes,), padding=own, kernel=(kernel,), strides=(stride,))
    outcome = decide(site(pad(0, 0, widths, value=-INF), pool))
    if counts is None:
        assert outcome == Folded("max_pool", padding=(own[0] + widths[0], own[1] + widths[1]))
    else:
        assert outcome == Refused(
            Kind.CEIL_MODE, f"with ceil_mode, axis W would have {counts[0]} windows, not {counts[1]}"
        )


def test_dilation_counts_in_the_extent_of_a_window():
    # Windows of 2 with dilation 3 span 4 of 6 elements: at 0 and 2. Folded, the last of them starts at 2 of 4.
    dilated = replace(MAX1, ceil_mode=True, sizes=(6,), kernel=(2,), strides=(2,), dilation=(3,))
    assert decide(site(pad(0, 0, (0, 2), value=-INF), dilated)) == Folded("max_pool", padding=(0, 2))
