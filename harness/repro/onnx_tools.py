"""How a script applies each subject: the source of ``transform`` or ``apply_tool``, as a maintainer would write it."""

_MODEL_TOOL = '''


def apply_tool(model: Any) -> Any:
    """Return the function from inputs to outputs of what the tool returns."""
    after = transform(model)
    print(onnx.printer.to_text(after))
    return lambda inputs: run_model(after, inputs)'''

_ONNXRUNTIME = '''def apply_tool(model: Any) -> Any:
    """Return the function of a session of ONNX Runtime with its optimisations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.{level}
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)'''


def _transform(imports: str, body: str) -> str:
    return f'''{imports}


def transform(model: Any) -> Any:
    """Return what the tool makes of a model."""
{body}{_MODEL_TOOL}'''


TOOLS: dict[str, str] = {
    "onnxruntime": _ONNXRUNTIME.format(level="ORT_ENABLE_ALL"),
    "onnxruntime/extended": _ONNXRUNTIME.format(level="ORT_ENABLE_EXTENDED"),
    "onnxruntime/basic": _ONNXRUNTIME.format(level="ORT_ENABLE_BASIC"),
    "onnxoptimizer": _transform("import onnxoptimizer", "    return onnxoptimizer.optimize(model)"),
    "onnxoptimizer/pads": _transform(
        "import onnxoptimizer",
        '    names = ["eliminate_nop_pad", "extract_constant_to_initializer"]\n'
        '    names += ["fuse_pad_into_conv", "fuse_pad_into_pool"]\n'
        "    return onnxoptimizer.optimize(model, names)",
    ),
    "onnxscript": _transform(
        "import onnx_ir\nfrom onnxscript import optimizer, rewriter",
        "    graph = onnx_ir.serde.deserialize_model(model)\n"
        "    optimizer.optimize(graph)\n"
        "    return onnx_ir.serde.serialize_model(rewriter.rewrite(graph))",
    ),
    "onnxscript/pads": _transform(
        "import onnx_ir\nfrom onnxscript import rewriter\n"
        "from onnxscript.rewriter.rules.common import _fuse_pad_into_conv as pad_rules",
        "    graph = onnx_ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(model, data_prop=True))\n"
        "    return onnx_ir.serde.serialize_model(rewriter.rewrite(graph, pad_rules.rules))",
    ),
    "onnxslim": _transform("import onnxslim", "    return onnxslim.slim(model)"),
    "onnxsim": _transform("import onnxsim", "    return onnxsim.simplify(model, check_n=0)[0]"),
    "openvino": '''import openvino


def apply_tool(model: Any) -> Any:
    """Return the function of the model compiled by OpenVINO for CPU."""
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}
    settings |= {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    compiled = core.compile_model(core.read_model(model.SerializeToString()), "CPU", settings)

    def run(inputs: Any) -> Any:
        request = compiled.create_infer_request()
        request.infer(inputs)
        return [request.get_output_tensor(i).data.copy() for i in range(len(compiled.outputs))]

    return run''',
    "tvm": '''import tvm
from tvm import relax
from tvm.relax.frontend.onnx import from_onnx


def apply_tool(model: Any) -> Any:
    """Return the function of the model imported and compiled by TVM."""
    executable = tvm.compile(from_onnx(model, keep_params_in_input=False), target="llvm")
    function = relax.VirtualMachine(executable, tvm.cpu())["main"]
    names = [value.name for value in model.graph.input]

    def run(inputs: Any) -> Any:
        result = function(*(tvm.runtime.tensor(inputs[name]) for name in names))
        return [each.numpy() for each in ([result] if isinstance(result, tvm.runtime.Tensor) else result)]

    return run''',
}
"""Name of a subject -> source."""

EMBEDDED = _transform("", "    return after_model()").lstrip()
"""Source for a pass of the user: the script has the model that the pass returned."""
