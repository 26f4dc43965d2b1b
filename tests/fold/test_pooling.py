"""foldproof.fold.pooling: windows, divisors and borders, against loops over all small geometries.

The loops know a pool as TVM's type inference and kernels have it (src/relax/op/nn/pooling.cc,
include/tvm/topi/nn/pooling.h): where windows start, which places they touch, and which of those are counted. They share
no arithmetic with the rules, which compare formulas.
"""

from dataclasses import dataclass, replace
from itertools import product

import pytest

from foldproof.fold.bounds import Bounds
from foldproof.fold.facts import Consumer, Kind, PadFacts, Site, Unary
from foldproof.fold.pooling import (
    every_window_holds_data,
    never_wins,
    refuse_other_divisor,
    refuse_other_sum,
    refuse_other_window_count,
)
from foldproof.fold.propagated import propagate


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
        found, start = [], -before
        while start + self.extent <= self.size + after:
            found.append(start)
            start += self.stride
        if self.ceil_mode:
            if found[-1] + self.extent < self.size + after:
                found.append(start)  # it overhangs
            if found[-1] >= self.size:
                found.pop()  # one that starts after the data goes, even if it fits
        return found

    def taps(self, start):
        return [start + i * self.dilation for i in range(self.kernel)]

    def divisor(self, start):
        last = self.size - 1 + self.own[1] if self.counted else self.size - 1
        return sum((self.counted or tap >= 0) and tap <= last for tap in self.taps(start))

    def holds_data(self, start):
        first = self.pad[0]
        return any(first <= tap < first + self.data for tap in self.taps(start))

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


def test_unknown_lengths_are_refused_under_ceil_mode_only_and_hold_no_data():
    for ceil_mode, kinds in ((True, [Kind.CEIL_MODE]), (False, [])):
        propagated = Pool(
            data=5, pad=(1, 0), own=(0, 0), kernel=2, stride=2, dilation=1, ceil_mode=ceil_mode
        ).propagated()
        unknown = replace(
            propagated, site=replace(propagated.site, consumer=replace(propagated.site.consumer, sizes=(None,)))
        )
        assert [refused.kind for refused in refuse_other_window_count(unknown)] == kinds
        assert not list(refuse_other_divisor(unknown))
        assert not every_window_holds_data(unknown)


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
        (0.0, True, 0.0, ("abs",), False),  # the sign of its zero is not told
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
