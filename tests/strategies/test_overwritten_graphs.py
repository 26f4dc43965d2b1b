"""The structure of graphs in which the data of a pad is overwritten."""

from hypothesis import Phase, given, seed, settings

from foldproof.strategies import unfoldable_graphs


def test_every_op_can_be_drawn_with_data_that_is_overwritten():
    drawn = []

    @seed(1)
    @settings(max_examples=80, phases=(Phase.generate,), database=None, deadline=None)
    @given(unfoldable_graphs("conv1d", "max_pool1d"))
    def draw(graph):
        drawn.extend(site for site in graph.sites if site.written)

    draw()
    assert {site.written for site in drawn} == {"data", "callee"}
    assert all(any(width != (0, 0) for width in site.case.pad_widths.values()) for site in drawn)
