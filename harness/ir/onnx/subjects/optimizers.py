"""Tools that turn a model into a model: onnxoptimizer, onnxscript, OnnxSlim, onnxsim."""

import onnx

from foldproof.ir.onnx.subjects.subject_pass import SubjectPass

PAD_PASSES = ("eliminate_nop_pad", "extract_constant_to_initializer", "fuse_pad_into_conv", "fuse_pad_into_pool")
"""The passes of onnxoptimizer that remove pads, and the one that they need before them."""


def onnxoptimizer_all() -> SubjectPass:
    """Return onnxoptimizer with its default passes."""
    import onnxoptimizer

    return SubjectPass(name="onnxoptimizer", apply=onnxoptimizer.optimize)


def onnxoptimizer_pads() -> SubjectPass:
    """Return the pad passes of onnxoptimizer."""
    import onnxoptimizer

    return SubjectPass(name="onnxoptimizer/pads", apply=lambda model: onnxoptimizer.optimize(model, list(PAD_PASSES)))


def onnxscript_default() -> SubjectPass:
    """Return the optimizer and the default rewrite rules of onnxscript."""
    import onnx_ir
    from onnxscript import optimizer, rewriter

    def apply(model: onnx.ModelProto) -> onnx.ModelProto:
        graph = onnx_ir.serde.deserialize_model(model)
        optimizer.optimize(graph)
        rewritten: onnx.ModelProto = onnx_ir.serde.serialize_model(rewriter.rewrite(graph))
        return rewritten

    return SubjectPass(name="onnxscript", apply=apply)


def onnxscript_pads() -> SubjectPass:
    """Return the rules of onnxscript that fold a Pad into a convolution. They need inferred shapes."""
    import onnx_ir
    from onnxscript import rewriter
    from onnxscript.rewriter.rules.common import _fuse_pad_into_conv as pad_rules

    def apply(model: onnx.ModelProto) -> onnx.ModelProto:
        graph = onnx_ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(model, data_prop=True))
        rewritten: onnx.ModelProto = onnx_ir.serde.serialize_model(rewriter.rewrite(graph, pad_rules.rules))
        return rewritten

    return SubjectPass(name="onnxscript/pads", apply=apply)


def onnxslim_default() -> SubjectPass:
    """Return OnnxSlim. It changes its argument, which is therefore a copy."""
    import onnxslim

    def apply(model: onnx.ModelProto) -> onnx.ModelProto:
        copied = onnx.ModelProto()
        copied.CopyFrom(model)
        slimmed: onnx.ModelProto = onnxslim.slim(copied)
        return slimmed

    return SubjectPass(name="onnxslim", apply=apply)


def onnxsim_default() -> SubjectPass:
    """Return onnxsim, without its own check of the result."""
    import onnxsim

    return SubjectPass(name="onnxsim", apply=lambda model: onnxsim.simplify(model, check_n=0)[0])
