"""FoldExplicitPadding: fold explicit pads into the padding of the convolution or pool that consumes them.

    x -> nn.pad -> relu -> conv2d(padding=p)      becomes      x -> relu -> conv2d(padding=p + widths)

``reader`` and ``primfunc`` read the IR into ``facts``. ``propagation`` and ``rules`` decide in pure Python, with the
numbers of ``values``. ``bindings``, ``rewrite`` and ``correction`` edit. Nothing here needs the rest of the harness.
"""

from foldproof.fold.tvm_version import require_supported_tvm

require_supported_tvm()  # before another version fails at something that it lacks

from foldproof.fold.facts import Consumer, Folded, Kind, Outcome, Refused  # noqa: E402
from foldproof.fold.fold import FoldExplicitPadding  # noqa: E402
from foldproof.fold.report import Report  # noqa: E402
from foldproof.fold.totals import Summary, summary  # noqa: E402


def correcting() -> FoldExplicitPadding:
    """Return the pass with every exact option on: ``foldproof fuzz --pass foldproof.fold:correcting``."""
    return FoldExplicitPadding(nonzero="correct", channels="slice")


def restricting() -> FoldExplicitPadding:
    """Return the pass for a backend of symmetric padding: ``foldproof fuzz --pass foldproof.fold:restricting``."""
    return FoldExplicitPadding(allow_asymmetric=False, allow_negative=False)


__all__ = [
    "Consumer",
    "FoldExplicitPadding",
    "Folded",
    "Kind",
    "Outcome",
    "Refused",
    "Report",
    "Summary",
    "correcting",
    "restricting",
    "summary",
]
