"""Which of the possible cases TVM 0.27 can build and compile. tests/ir/relax/test_supported.py asks TVM itself."""

from foldproof.case import Case


def supported(case: Case) -> str:
    """Return why TVM 0.27 cannot compile the case, in a sentence; empty if it can.

    TVM 0.27 legalizes a transposed convolution in its standard layouts only.
    """
    spec = case.spec
    if not spec.transposed:
        return ""
    if case.operand_layout != spec.data_layout or case.weight_layout != spec.kernel_layout:
        layouts = f"{case.operand_layout}/{case.weight_layout}"
        return f"TVM legalizes {spec.name} in {spec.data_layout}/{spec.kernel_layout} only, not in {layouts}"
    return ""
