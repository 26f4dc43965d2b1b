"""A consumer as it would be after a fold: what a backend is asked about. Pure Python."""

from dataclasses import replace

from foldproof.fold.facts import Consumer, Folded


def describe_folded(consumer: Consumer, folded: Folded) -> Consumer:
    """Return the facts of the consumer after the fold.

    Its operand loses what becomes padding, and the channels that are sliced from the weight.
    """
    assert folded.padding is not None
    rank = len(consumer.spatial)
    more = [new - own for new, own in zip(folded.padding, consumer.padding, strict=True)]
    if consumer.family == "conv_transpose":  # an element more is a stride less of padding
        more = [-width // stride for width, stride in zip(more, consumer.strides * 2, strict=True)]
    sizes = zip(consumer.sizes, more[:rank], more[rank:], strict=True)
    sliced = sum(folded.channels or (0, 0))
    counted = folded.count_include_pad
    return replace(
        consumer,
        padding=folded.padding,
        count_include_pad=consumer.count_include_pad if counted is None else counted,
        sizes=tuple(None if size is None else size - before - after for size, before, after in sizes),
        channels=None if consumer.channels is None else consumer.channels - sliced,
    )
