"""A right pass that folds Pad nodes into convolutions and pools of ONNX models, and defects planted into it.

    Pad (x, widths, value) -> [DequantizeLinear ->] Conv | ConvInteger | QLinearConv | MaxPool | AveragePool

``FoldPads()`` is right. ``FoldPads("a defect")`` forgets one thing: ``DEFECT_NAMES`` lists them.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

CONSUMERS = ("Conv", "ConvInteger", "QLinearConv", "MaxPool", "AveragePool")

DEFECT_NAMES = (
    "value of Conv ignored",
    "value of MaxPool ignored",
    "zero is lowest for MaxPool",
    "omitted value is lowest for MaxPool",
    "zero is lowest for MaxPool of integers",
    "value of AveragePool ignored",
    "value of opset 10 ignored",
    "mode ignored",
    "edge is constant",
    "reflect is constant",
    "axes taken for the last ones",
    "negative axes dropped",
    "axes sorted",
    "begin and end swapped",
    "end dropped",
    "begin dropped",
    "own pads replaced",
    "batch widths dropped",
    "channel widths dropped",
    "crops ignored",
    "spatial axes reversed",
    "zero point of ConvInteger is 0",
    "zero point of ConvInteger ignored",
    "zero point of QLinearConv is 0",
    "zero point of QLinearConv ignored",
    "zero point of DequantizeLinear is 0",
    "zero point of DequantizeLinear ignored",
    "first zero point decides",
    "SAME kept",
    "SAME read as no padding",
    "VALID kept",
    "pad of the weight folded",
    "shared pad removed",
    "average counts as before",
    "average counts all padding",
    "ceil_mode of MaxPool ignored",
    "ceil_mode of AveragePool ignored",
    "types of values left stale",
    "missing pads attribute",
    "output renamed",
)


class FoldPads:
    """Fold every Pad that is legal to fold for all inputs and lengths."""

    foldproof_ir = "onnx"
    idempotent = False

    def __init__(self, defect=""):
        assert not defect or defect in DEFECT_NAMES
        self.defect = defect

    def has(self, *names):
        return self.defect in names

    def __call__(self, model):
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        self.graph, self.opset = changed.graph, changed.opset_import[0].version
        self.made = {name: node for node in self.graph.node for name in node.output}
        self.constants = self._constants()
        folded = [node for node in self.graph.node if node.op_type in CONSUMERS and self._fold(node)]
        if not folded:
            return model
        self._remove_unread()
        if self.has("output renamed"):
            old, new = self.graph.output[0].name, "renamed"
            for node in self.graph.node:
                node.output[:] = [new if name == old else name for name in node.output]
            self.graph.output[0].name = new
        return changed

    def _constants(self):
        inputs = {value.name for value in self.graph.input}
        found = {t.name: numpy_helper.to_array(t) for t in self.graph.initializer if t.name not in inputs}
        for node in self.graph.node:
            if node.op_type == "Constant":
                found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        return found

    # --- one consumer -----------------------------------------------------------------------------------

    def _fold(self, node):
        if self.has("pad of the weight folded") and node.op_type == "Conv":
            pad = self.made.get(node.input[1])
            if pad is not None and pad.op_type == "Pad":
                node.input[1] = pad.input[0]
                return True
        pad, between = self._find_pad(node.input[0])
        if pad is None:
            return False
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        sides = self._read_sides(pad)
        if sides is None or not self._is_neutral(pad, between, node, attributes):
            return False
        pads = self._merge(node, attributes, sides)
        if pads is None:
            return False
        self._rewrite(node, attributes, pads)
        source = pad.input[0]
        if between is None:
            node.input[0] = source
        else:
            copied = helper.make_node("DequantizeLinear", [source, *between.input[1:]], [f"{node.output[0]}_data"])
            copied.attribute.extend(between.attribute)
            self.graph.node.insert(list(self.graph.node).index(node), copied)
            node.input[0] = copied.output[0]
        if self.has("shared pad removed"):
            for reader in self.graph.node:
                reader.input[:] = [source if name == pad.output[0] else name for name in reader.input]
        if self.has("types of values left stale"):
            known = [each for each in self.graph.value_info if each.name == pad.output[0]]
            if known and between is None:
                pad.op_type, pad.input[:], pad.attribute[:] = "Identity", [source], []
                node.input[0] = pad.output[0]
        return True

    def _find_pad(self, name):
        """Return the Pad that makes a value, and the DequantizeLinear between, None if there is none."""
        node, between = self.made.get(name), None
        if node is not None and node.op_type == "DequantizeLinear":
            between, node = node, self.made.get(node.input[0])
        while node is not None and node.op_type == "Identity":
            node = self.made.get(node.input[0])
        return (node, between) if node is not None and node.op_type == "Pad" else (None, None)

    # --- the pad ----------------------------------------------------------------------------------------

    def _read_sides(self, pad):
        """Return (before, after) of the spatial axes; None if the pad does something else too."""
        attributes = {each.name: helper.get_attribute_value(each) for each in pad.attribute}
        mode = attributes.get("mode", b"constant").decode()
        ignored = self.has("mode ignored") or (mode == "edge" and self.has("edge is constant"))
        ignored = ignored or (mode == "reflect" and self.has("reflect is constant"))
        if mode != "constant" and not ignored:
            return None
        widths = attributes.get("pads") if "pads" in attributes else self.constants.get(pad.input[1])
        if widths is None:
            return None
        widths = [int(width) for width in widths]
        half = len(widths) // 2
        axes = list(range(half))
        rank = self._rank(pad)
        if len(pad.input) > 3 and pad.input[3]:
            given = self.constants.get(pad.input[3])
            if given is None:
                return None
            axes = [int(axis) for axis in given]
            if self.has("axes taken for the last ones"):
                axes = list(range(rank - len(axes), rank))
        if self.has("negative axes dropped"):
            axes = [axis for axis in axes if axis >= 0]
        axes = [axis % rank for axis in axes]
        if self.has("axes sorted"):
            axes = sorted(axes)
        sides = [(0, 0)] * rank
        for place, axis in enumerate(axes):
            sides[axis] = (widths[place], widths[half + place])
        batch, channels, *spatial = sides
        if self.has("batch widths dropped"):
            batch = (0, 0)
        if self.has("channel widths dropped"):
            channels = (0, 0)
        if self.has("crops ignored"):
            spatial = [(max(0, before), max(0, after)) for before, after in spatial]
        if any(batch + channels) or any(width < 0 for pair in spatial for width in pair):
            return None
        if self.has("begin and end swapped"):
            spatial = [pair[::-1] for pair in spatial]
        if self.has("end dropped"):
            spatial = [(before, 0) for before, _ in spatial]
        if self.has("begin dropped"):
            spatial = [(0, after) for _, after in spatial]
        return spatial[::-1] if self.has("spatial axes reversed") else spatial

    def _rank(self, pad):
        """Return the rank of the padded tensor: from its consumer's window."""
        for node in self.graph.node:
            if node.op_type in CONSUMERS:
                for each in node.attribute:
                    if each.name in ("kernel_shape", "strides", "dilations"):
                        return len(each.ints) + 2
                    if each.name == "pads":
                        return len(each.ints) // 2 + 2
        for value in (*self.graph.input, *self.graph.value_info, *self.graph.output):
            if value.name in (pad.input[0], pad.output[0], "x", self.graph.output[0].name):
                return len(value.type.tensor_type.shape.dim)
        return 4

    # --- its value --------------------------------------------------------------------------------------

    def _is_neutral(self, pad, between, node, attributes):
        value, omitted = self._read_value(pad)
        if value is None:
            return False
        if between is not None:
            if node.op_type in ("ConvInteger", "QLinearConv", "MaxPool") or self._follows_spatial_axis(between):
                return False
            zeros = self._zero_points(between, "DequantizeLinear")
            return zeros is not None and (self._ignores("DequantizeLinear") or (zeros == value).all())
        if node.op_type == "Conv":
            return self.has("value of Conv ignored") or value == 0
        if node.op_type == "AveragePool":
            return self.has("value of AveragePool ignored") or value == 0
        if node.op_type == "MaxPool":
            return self._is_lowest(value, omitted)
        zeros = self._zero_points(node, node.op_type)
        return zeros is not None and (self._ignores(node.op_type) or (zeros == value).all())

    def _follows_spatial_axis(self, node):
        """Whether a scale has a value for each element of an axis that is padded."""
        scale = self.constants.get(node.input[1])
        axis = next((each.i for each in node.attribute if each.name == "axis"), 1)
        return scale is None or (scale.size > 1 and axis not in (0, 1))

    def _read_value(self, pad):
        for each in pad.attribute:
            if each.name == "value":
                return (np.float32(0.0) if self.has("value of opset 10 ignored") else np.float32(each.f)), False
        if len(pad.input) > 2 and pad.input[2]:
            value = self.constants.get(pad.input[2])
            if value is None:
                return None, False
            scalar = value.reshape(-1)[0]
            return scalar, False
        return np.float32(0.0), True

    def _is_lowest(self, value, omitted):
        if self.has("value of MaxPool ignored") or (omitted and self.has("omitted value is lowest for MaxPool")):
            return True
        if np.issubdtype(value.dtype, np.integer):
            zero = value == 0 and self.has("zero is lowest for MaxPool of integers", "zero is lowest for MaxPool")
            return not omitted and (value == np.iinfo(value.dtype).min or zero)
        return bool(value == -np.inf) or (value == 0 and self.has("zero is lowest for MaxPool"))

    def _ignores(self, kind):
        return self.has(f"zero point of {kind} ignored")

    def _zero_points(self, node, kind):
        place = 2
        if len(node.input) <= place or not node.input[place] or self.has(f"zero point of {kind} is 0"):
            return np.zeros(1)
        zeros = self.constants.get(node.input[place])
        if zeros is None:
            return None
        flat = zeros.reshape(-1).astype(np.float64)
        return flat[:1] if self.has("first zero point decides") else flat

    # --- the padding of the consumer --------------------------------------------------------------------

    def _merge(self, node, attributes, sides):
        auto = attributes.get("auto_pad", b"NOTSET").decode()
        if auto.startswith("SAME") and not self.has("SAME kept", "SAME read as no padding"):
            return None
        kind = node.op_type
        if attributes.get("ceil_mode", 0) and not self.has(f"ceil_mode of {kind} ignored"):
            return None
        own = list(attributes.get("pads", [0] * (2 * len(sides))))
        if "pads" not in attributes and self.has("missing pads attribute"):
            return [0] * (2 * len(sides))
        own = [0] * (2 * len(sides)) if self.has("own pads replaced") else own
        excluded = kind == "AveragePool" and any(own) and not attributes.get("count_include_pad", 0)
        if excluded and not self.has("average counts all padding", "average counts as before"):
            return None
        flat = [before for before, _ in sides] + [after for _, after in sides]
        merged = [a + b for a, b in zip(own, flat, strict=True)]
        kernel = attributes.get("kernel_shape", []) if kind == "MaxPool" else []
        steps = attributes.get("dilations", [1] * len(kernel))
        extents = [(length - 1) * step + 1 for length, step in zip(kernel, steps, strict=False)]
        # A window of padding alone has no maximum.
        alone = any(max(merged[i], merged[len(kernel) + i]) >= extent for i, extent in enumerate(extents))
        return None if alone else merged

    def _rewrite(self, node, attributes, pads):
        auto = attributes.get("auto_pad", b"NOTSET").decode()
        kept = (auto.startswith("SAME") and self.has("SAME kept")) or (auto == "VALID" and self.has("VALID kept"))
        drop = {"pads", "count_include_pad" if node.op_type == "AveragePool" else ""}
        drop |= set() if kept else {"auto_pad"}
        left = [each for each in node.attribute if each.name not in drop]
        del node.attribute[:]
        node.attribute.extend(left)
        node.attribute.append(helper.make_attribute("pads", pads))
        if node.op_type == "AveragePool":
            before = attributes.get("count_include_pad", 0)
            counted = before if self.has("average counts as before") else 1
            node.attribute.append(helper.make_attribute("count_include_pad", counted))

    def _remove_unread(self):
        """Remove pads and what is between that nothing reads any more, with the types of what changed."""
        outputs = {value.name for value in self.graph.output}
        while True:
            read = {name for node in self.graph.node for name in node.input} | outputs
            unread = [
                node
                for node in self.graph.node
                if node.op_type in ("Pad", "Identity", "DequantizeLinear") and not read & set(node.output)
            ]
            if not unread:
                return
            for node in unread:
                self.graph.node.remove(node)
                for value in [each for each in self.graph.value_info if each.name in node.output]:
                    self.graph.value_info.remove(value)
