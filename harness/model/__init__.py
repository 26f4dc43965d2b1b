"""What a pass does to a whole model: import it.

    model = import_model("resnet.onnx", {"x": (1, 3, 224, 224)})
"""

from foldproof.model.importing import Input, Model, import_model

__all__ = ["Input", "Model", "import_model"]
