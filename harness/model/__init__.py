"""What a pass does to a whole model: import it, list its pads, compare it with and without the pass, measure the worth.

    model = import_model("resnet.onnx", {"x": (1, 3, 224, 224)})
    sites(model)                     # a row for each pad and reader: widths, mode, value, shape, outcome, reason
    compare_model(model)             # the same bits with and without the pass?
    examine(Request(model="..."))    # all of it in a worker process, as ``foldproof model`` does

A crash of TVM ends the process that calls ``import_model`` or ``compare_model``; for ``examine`` it is a result.
"""

from foldproof.model.compare import Compared, compare_model
from foldproof.model.examine import Examination, Worth, examine
from foldproof.model.importing import Input, Model, import_model
from foldproof.model.outcomes import Folding, PassFailed, Site, apply_fold, sites
from foldproof.model.session import Request

__all__ = [
    "Compared",
    "Examination",
    "Folding",
    "Input",
    "Model",
    "PassFailed",
    "Request",
    "Site",
    "Worth",
    "apply_fold",
    "compare_model",
    "examine",
    "import_model",
    "sites",
]
