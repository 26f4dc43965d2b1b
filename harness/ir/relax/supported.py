"""Which of the possible cases Relax takes: what TVM 0.27 legalizes. tests/ir/relax/test_build.py compiles them."""

from foldproof.case import Case


def supported(case: Case) -> str:
    """Return why TVM 0.27 cannot build the case, in a sentence; empty if it can."""
    spec = case.spec
    if not spec.transposed:
        return ""
    if case.data_order != spec.data_layout or case.kernel_order != spec.kernel_layout:
        layouts = f"{case.data_order}/{case.kernel_order}"
        return f"TVM legalizes {spec.name} in {spec.data_layout}/{spec.kernel_layout} only, not in {layouts}"
    return ""
