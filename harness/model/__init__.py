"""What a pass does to a whole model: import it, list its pads, compare it with and without the pass, measure the worth.

    model = import_model("resnet.onnx", {"x": (1, 3, 224, 224)})
    sites(model)                     # a row for each pad and reader: widths, mode, value, shape, outcome, reason
    compare_model(model)             # the same bits with and without the pass?
"""

from foldproof.model.compare import Compared, compare_model
from foldproof.model.importing import Input, Model, import_model
from foldproof.model.outcomes import Folding, PassFailed, Site, apply_fold, sites

__all__ = [
    "Compared",
    "Folding",
    "Input",
    "Model",
    "PassFailed",
    "Site",
    "apply_fold",
    "compare_model",
    "import_model",
    "sites",
]
