"""Runtimes and compilers that execute a model in their own way: ONNX Runtime with optimisations, OpenVINO, TVM."""

import copy
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime

from foldproof.ir.onnx.ir import FUSED_ONNX
from foldproof.ir.onnx.runtimes import Arrays, Compiled, Outputs, new_session_options, session_function
from foldproof.ir.onnx.subjects.subject_pass import SubjectPass


def optimized_onnxruntime() -> SubjectPass:
    """Return ONNX Runtime with all optimisations."""
    return _onnxruntime("onnxruntime", "all")


def extended_onnxruntime() -> SubjectPass:
    """Return ONNX Runtime with its extended optimisations."""
    return _onnxruntime("onnxruntime/extended", "extended")


def basic_onnxruntime() -> SubjectPass:
    """Return ONNX Runtime with its basic optimisations."""
    return _onnxruntime("onnxruntime/basic", "basic")


def _onnxruntime(name: str, level: str) -> SubjectPass:
    # A file in memory: a process that dies leaves nothing.
    path = f"/proc/self/fd/{os.memfd_create('foldproof.onnx')}"
    options = new_session_options(level)
    options.optimized_model_filepath = path

    def apply(model: onnx.ModelProto) -> Compiled:
        """Open a session, which writes what it executes to a file: ONNX Runtime has no other way to show it."""
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return Compiled(run=session_function(session), model=onnx.load(path))

    return SubjectPass(name=name, apply=apply, compiles=True)


def openvino_cpu() -> SubjectPass:
    """Return OpenVINO on CPU, in float32 and in the accuracy mode, with one thread."""
    import openvino

    core = openvino.Core()
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "EXECUTION_MODE_HINT": "ACCURACY",
    }

    def apply(model: onnx.ModelProto) -> Compiled:
        compiled = core.compile_model(core.read_model(model.SerializeToString()), "CPU", settings)
        kinds = [str(node.get_rt_info()["layerType"]) for node in compiled.get_runtime_model().get_ops()]
        return Compiled(run=_openvino_function(compiled), model=_keep_pads(model, kinds.count("Pad")))

    return SubjectPass(name="openvino", apply=apply, foldproof_ir=FUSED_ONNX, compiles=True)


def _openvino_function(compiled: Any) -> Callable[[Arrays], Outputs]:
    def run(arrays: Arrays) -> Outputs:
        request = compiled.create_infer_request()
        inputs = {port: np.array(arrays[_name_of(port, arrays)], order="C") for port in compiled.inputs}
        request.infer(inputs)
        return tuple(request.get_output_tensor(i).data.copy() for i in range(len(compiled.outputs)))

    return run


def _name_of(port: Any, arrays: Arrays) -> str:
    names = [name for name in port.get_names() if name in arrays]
    if not names:
        raise KeyError(f"the compiled model has an input {sorted(port.get_names())}, which the model has not")
    return str(names[0])


def _keep_pads(model: onnx.ModelProto, count: int) -> onnx.ModelProto:
    """Return a model that is like another one with its last pads left out, to count how many a compiler folded."""
    shown = copy.deepcopy(model)
    pads = [node for node in shown.graph.node if node.op_type == "Pad"]
    for node in pads[count:]:
        node.op_type = "Identity"
    return shown


def tvm_frontend() -> SubjectPass:
    """Return TVM's importer of ONNX with the default pipeline of llvm."""
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    def apply(model: onnx.ModelProto) -> Compiled:
        module = from_onnx(model, keep_params_in_input=False)
        function = relax.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())["main"]
        constants = {tensor.name for tensor in model.graph.initializer}
        names = [value.name for value in model.graph.input if value.name not in constants]

        def run(arrays: Arrays) -> Outputs:
            result = function(*(tvm.runtime.tensor(np.array(arrays[name], order="C")) for name in names))
            tensors = [result] if isinstance(result, tvm.runtime.Tensor) else list(result)
            return tuple(tensor.numpy() for tensor in tensors)

        return Compiled(run=run, model=model)

    return SubjectPass(name="tvm", apply=apply, compiles=True)
