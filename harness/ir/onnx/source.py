"""A model as text for a person: ONNX's own textual syntax, with small constants as numbers."""

import onnx
import onnx.printer


def to_source(model: onnx.ModelProto) -> str:
    """Return the model in the textual syntax of ONNX (``onnx.printer``), which ``onnx.parser`` reads."""
    return str(onnx.printer.to_text(model))
