"""Hypothesis profiles of our own tests; the plugin registers none."""

import inspect
import os

import hypothesis
from hypothesis import HealthCheck
from tests.support import quick_stack
from tests.support.commands import here  # noqa: F401, a fixture
from tests.support.warm_workers import warm_workers  # noqa: F401, a fixture

_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}

hypothesis.settings.register_profile("foldproof-dev", max_examples=50, **_COMMON)
hypothesis.settings.register_profile("foldproof-ci", max_examples=100, derandomize=True, database=None, **_COMMON)
hypothesis.settings.register_profile("foldproof-campaign", max_examples=1000, database=None, **_COMMON)
hypothesis.settings.load_profile("foldproof-ci" if os.environ.get("CI") else "foldproof-dev")

inspect.stack = quick_stack.stack  # TVMScript parses three times as fast
