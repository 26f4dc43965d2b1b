"""Strategies for whole cases: draw a scenario by measured weights first, then an op and sizes that fit it.

    scenario --draw--> CaseBuilder (a legal case) --violate one condition--> Case

A case that must not be folded is a legal one with exactly one violation. A pass that forgets that condition folds it.
"""

from functools import cache

from hypothesis import strategies as st

from foldproof.case import Case, ops
from foldproof.strategies import chain_violations, variants, violations
from foldproof.strategies.builder import legal_pad
from foldproof.strategies.scenarios import FOLDABLE, SCENARIOS, UNFOLDABLE, Scenario
from foldproof.strategies.values import member_of

Choices = st.SearchStrategy[tuple[Scenario, st.SearchStrategy[ops.Op]]]
"""Scenarios, each with the ops that it fits. Cached, because each new ``sampled_from`` hashes all its elements."""


def _fitting(
    scenarios: tuple[Scenario, ...], names: tuple[str, ...]
) -> list[tuple[Scenario, st.SearchStrategy[ops.Op]]]:
    specs = tuple(ops.BY_NAME[name] for name in names)
    pairs = ((scenario, tuple(spec for spec in specs if scenario.fits(spec))) for scenario in scenarios)
    return [(scenario, st.sampled_from(fitting)) for scenario, fitting in pairs if fitting]


@cache
def _uniform(scenarios: tuple[Scenario, ...], names: tuple[str, ...]) -> Choices:
    return member_of(_fitting(scenarios, names))


@cache
def _weighted(names: tuple[str, ...]) -> Choices:
    return member_of([pair for pair in _fitting(SCENARIOS, names) for _ in range(pair[0].weight)])


def scenario_cases(scenarios: tuple[Scenario, ...], names: tuple[str, ...]) -> st.SearchStrategy[Case]:
    """Draw cases of the named ops from one of ``scenarios``, uniformly."""
    return _scenario_cases(_uniform(scenarios, names))


@st.composite
def _scenario_cases(draw: st.DrawFn, choices: Choices) -> Case:
    scenario, specs = draw(choices)
    return _draw_case(draw, scenario, draw(specs))


def _draw_case(draw: st.DrawFn, scenario: Scenario, spec: ops.Op) -> Case:
    builder = scenario.start(draw, spec)
    if scenario.violate is not None:
        scenario.violate(builder)
    return builder.build()


@st.composite
def _mixed_cases(draw: st.DrawFn, names: tuple[str, ...]) -> Case:
    """Draw cases with several violations at once, as far as they go together. No scenario describes them."""
    spec = ops.BY_NAME[draw(st.sampled_from(names))]
    builder = legal_pad(draw, spec, ordered=False)
    for violate in (
        chain_violations.add_any_steps,
        violations.use_unknown_mode,
        violations.use_other_value,
        variants.pad_batch_or_channels,
    ):
        if draw(st.booleans()):
            violate(builder)
    if spec.pools:
        builder.ceil_mode = draw(st.booleans())
    return builder.build()


def check_names(given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ops to draw: the given ones, or all. Raises ValueError for an unknown one."""
    for name in given:
        if name not in ops.BY_NAME:
            raise ValueError(f"unknown op {name!r}; expected one of {', '.join(ops.NAMES)}")
    return given or ops.NAMES


def foldable_cases(*names: str) -> st.SearchStrategy[Case]:
    """Draw cases whose pad may be folded.

    Args:
        names: Ops, for example ``"conv2d"`` (default: all).

    Raises:
        ValueError: For an unknown op.
    """
    return scenario_cases(FOLDABLE, check_names(names))


def unfoldable_cases(*names: str) -> st.SearchStrategy[Case]:
    """Draw legal cases with exactly one violation. Their pad must stay, except where the sizes hide the violation.

    Args:
        names: Ops, for example ``"conv2d"`` (default: all).

    Raises:
        ValueError: For an unknown op.
    """
    return scenario_cases(UNFOLDABLE, check_names(names))


def cases(*names: str) -> st.SearchStrategy[Case]:
    """Draw cases of all kinds: 19 of 20 follow a scenario, the others have several violations.

    Args:
        names: Ops, for example ``"conv2d"`` (default: all).

    Raises:
        ValueError: For an unknown op.
    """
    chosen = check_names(names)
    kinds = (_scenario_cases(_weighted(chosen)), _mixed_cases(chosen))
    return st.sampled_from([0] * 19 + [1]).flatmap(lambda kind: kinds[kind])
