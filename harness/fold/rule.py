"""The interface of a rule that folds a pad into a consumer. Pure Python."""

from collections.abc import Iterator

from foldproof.fold.facts import Folded, Options, Refused, Site
from foldproof.fold.propagated import Propagated, choose_value_kind, describe_value
from foldproof.fold.values import INTEGER_BITS, cast


class Rule:
    """What the rules of the consumers have in common."""

    family = ""

    @staticmethod
    def letters(site: Site, options: Options) -> Iterator[str]:
        """Yield the letters of the axes whose widths may fold together, the most ambitious choice first."""
        yield site.consumer.spatial

    @staticmethod
    def refusals(propagated: Propagated, options: Options) -> Iterator[Refused]:
        """Yield the preconditions that are not met."""
        raise NotImplementedError

    @staticmethod
    def fold(propagated: Propagated) -> Folded:
        """Return the outcome with the new padding."""
        raise NotImplementedError


def name_rule(rule: str, propagated: Propagated) -> str:
    """Return the name of the rule, prefixed if there are ops between pad and consumer."""
    ops = {step.op for step in propagated.site.steps}
    if not ops:
        return rule
    return f"dequantize-{rule}" if ops == {"dequantize"} else f"chain-{rule}"


def refuse_nonzero(propagated: Propagated) -> Iterator[Refused]:
    """Refuse a border that is not zero, which is what the consumer pads with."""
    if propagated.adds and not all(_cast_as_summed(value, propagated.site) == 0 for value in propagated.values.flat):
        yield Refused(
            choose_value_kind(propagated),
            f"{propagated.site.consumer.op} pads with 0, but {describe_value(propagated)}",
        )


def _cast_as_summed(value: float, site: Site) -> float | None:
    """Return the value as a convolution multiplies it: cast to its out_dtype first (topi/nn/conv2d.py, conv).

    A fraction becomes 0 as an integer, too. TVM computes bfloat16 in float32 and omits the
    rounding of such a cast, so that float32 counts there.
    """
    out_dtype = "float32" if site.consumer.out_dtype == "bfloat16" else site.consumer.out_dtype
    floats = ("float16", "float32", "float64")
    return cast(value, out_dtype) if site.operand_dtype in floats and out_dtype in (*floats, *INTEGER_BITS) else value
