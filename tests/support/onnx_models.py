"""Small models as exporters write them, built with the onnx helper API: explicit pads, lengths fixed or symbolic.

Each function takes a ``Graph``, adds its nodes, and returns the name of the output. The pads that must fold before each
convolution or pool are in the models where their namesakes have them.
"""

import numpy as np
import onnx
import onnx.helper as oh
import onnx.numpy_helper as nh


class Graph:
    """An ONNX graph with one input ``x`` of 3 channels. A length is a number, or the name of a symbolic one."""

    def __init__(self, batch, height, width):
        self.shape = [batch, 3, height, width]
        self.nodes, self.constants = [], []
        self.random = np.random.default_rng(11)

    def constant(self, value):
        name = f"k{len(self.constants)}"
        self.constants.append(nh.from_array(np.asarray(value), name))
        return name

    def node(self, op, *inputs, **attributes):
        name = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(oh.make_node(op, list(inputs), [name], **attributes))
        return name

    def pad(self, x, top, left, bottom, right, value=0.0, channels=0):
        widths = np.array([0, 0, top, left, 0, channels, bottom, right], np.int64)
        return self.node("Pad", x, self.constant(widths), self.constant(np.float32(value)))

    def weight(self, *shape):
        """Small integers, so that sums are exact in any order."""
        return self.constant(self.random.integers(-2, 3, shape).astype("float32"))

    def conv(self, x, inputs, outputs, kernel=3, stride=1, groups=1, **attributes):
        weight = self.weight(outputs, inputs // groups, kernel, kernel)
        bias = self.constant(self.random.integers(-2, 3, outputs).astype("float32"))
        return self.node("Conv", x, weight, bias, strides=[stride] * 2, group=groups, **attributes)

    def relu6(self, x):
        return self.node("Clip", x, self.constant(np.float32(0)), self.constant(np.float32(6)))

    def scaled(self, x):
        """Keep the numbers small, and exact."""
        return self.node("Mul", x, self.constant(np.float32(0.125)))

    def model(self, output):
        value = oh.make_tensor_value_info
        inputs = [value("x", onnx.TensorProto.FLOAT, self.shape)]
        outputs = [value(output, onnx.TensorProto.FLOAT, ["n", "c", "h", "w"])]
        graph = oh.make_graph(self.nodes, "graph", inputs, outputs, self.constants)
        return oh.make_model(graph, opset_imports=[oh.make_opsetid("", 18)], ir_version=10)


# --- models -------------------------------------------------------------------------------------------


def mobilenet(g):
    """Keras: (0, 1) before each strided depthwise convolution, relu6 after it."""
    x = g.relu6(g.conv(g.pad("x", 0, 0, 1, 1), 3, 4, stride=2))
    for stride in (1, 2, 1, 2):
        padded = g.pad(x, 0, 0, 1, 1) if stride == 2 else g.pad(x, 1, 1, 1, 1)
        x = g.relu6(g.conv(padded, 4, 4, stride=stride, groups=4))
        x = g.relu6(g.conv(x, 4, 4, kernel=1))
    return g.node("GlobalAveragePool", x)


def resnet(g):
    """Keras: a stem of 7 x 7, relu -> pad(0) -> max_pool, strided blocks with a shortcut."""
    x = g.node("Relu", g.conv(g.pad("x", 3, 3, 3, 3), 3, 4, kernel=7, stride=2))
    x = g.node("MaxPool", g.pad(x, 1, 1, 1, 1), kernel_shape=[3, 3], strides=[2, 2])
    for stride in (1, 2, 2):
        shortcut = g.conv(x, 4, 4, kernel=1, stride=stride)
        y = g.node("Relu", g.conv(x, 4, 4, kernel=1, stride=stride))
        y = g.conv(g.pad(g.scaled(y), 1, 1, 1, 1), 4, 4)
        x = g.scaled(g.node("Relu", g.node("Add", y, shortcut)))
    return x


def efficientnet(g):
    """Asymmetric pads before depthwise convolutions of 3 and 5, gates of squeeze and excitation."""
    x = g.node("Relu", g.conv(g.pad("x", 0, 0, 1, 1), 3, 4, stride=2))
    for kernel, stride in ((3, 1), (3, 2), (5, 2), (5, 1)):
        before = (kernel - stride) // 2
        y = g.conv(
            g.pad(x, before, before, kernel - stride - before, kernel - stride - before), 4, 4, kernel, stride, 4
        )
        y = g.node("Relu", g.scaled(y))
        gate = g.node("GlobalAveragePool", y)
        gate = g.node("HardSigmoid", g.conv(gate, 4, 4, kernel=1))
        y = g.conv(g.node("Mul", y, gate), 4, 4, kernel=1)
        x = g.node("Add", x, y) if stride == 1 else y
    return x


def unet(g):
    """Down by max_pool and strided convolutions, up by transposed convolutions whose input is padded."""
    x = g.node("Relu", g.conv(g.pad("x", 1, 1, 1, 1), 3, 4))
    skip = g.scaled(x)
    x = g.node("MaxPool", skip, kernel_shape=[2, 2], strides=[2, 2])
    x = g.scaled(g.node("Relu", g.conv(g.pad(x, 1, 1, 1, 1), 4, 4)))
    x = g.scaled(g.node("Relu", g.conv(g.pad(x, 1, 1, 1, 1), 4, 4, stride=2)))
    up = g.node("ConvTranspose", g.pad(x, 1, 1, 1, 1), g.weight(4, 4, 2, 2), strides=[2, 2], pads=[2, 2, 2, 2])
    up = g.conv(g.pad(g.scaled(up), 1, 1, 1, 1), 4, 4)
    up = g.node("ConvTranspose", g.scaled(up), g.weight(4, 4, 2, 2), strides=[2, 2])
    return g.conv(g.pad(g.scaled(up), 1, 1, 1, 1), 4, 2)


def quantized(g):
    """QDQ: [dequantize -> pad -> quantize -> dequantize -> conv], with strides, as a static quantizer writes it."""

    def fake(x, zero_point, scale=0.5):
        scale, zero_point = g.constant(np.float32(scale)), g.constant(np.int8(zero_point))
        return g.node("DequantizeLinear", g.node("QuantizeLinear", x, scale, zero_point), scale, zero_point)

    x = fake("x", 3)
    for channels, stride, widths in ((3, 2, (0, 0, 1, 1)), (4, 1, (1, 1, 1, 1)), (4, 2, (0, 0, 1, 1))):
        padded = fake(g.pad(x, *widths), -5)
        x = fake(g.relu6(g.scaled(g.conv(padded, channels, 4, stride=stride))), -128)
    return x


def googlenet(g):
    """Branches that are joined; pools of the lowest value, with ceil_mode and without; averages with a pad of zeros."""
    x = g.scaled(g.node("Relu", g.conv(g.pad("x", 3, 3, 3, 3), 3, 4, kernel=7, stride=2)))
    x = g.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    lowest = float("-inf")
    for _ in range(2):
        one = g.conv(x, 4, 2, kernel=1)
        three = g.conv(g.pad(g.conv(x, 4, 2, kernel=1), 1, 1, 1, 1), 2, 2)
        five = g.conv(g.pad(g.conv(x, 4, 2, kernel=1), 2, 2, 2, 2), 2, 2, kernel=5)
        pool = g.node("MaxPool", g.pad(x, 1, 1, 1, 1, value=lowest), kernel_shape=[3, 3])
        x = g.conv(g.node("Concat", one, three, five, g.conv(pool, 4, 2, kernel=1), axis=1), 8, 4, kernel=1)
        x = g.scaled(g.scaled(g.node("Relu", x)))
        x = g.node("MaxPool", g.pad(x, 0, 0, 1, 1, value=lowest), kernel_shape=[3, 3], strides=[2, 2])
    return g.node("AveragePool", g.pad(x, 1, 1, 1, 1), kernel_shape=[2, 2], strides=[2, 2], count_include_pad=1)


def generator(g):
    """Mirrored borders that stay, a pad of channels that stays, pads of no width that go."""
    x = g.node("Pad", "x", g.constant(np.array([0, 0, 3, 3, 0, 0, 3, 3])), mode="reflect")
    x = g.scaled(g.node("Relu", g.conv(x, 3, 4, kernel=7)))
    for _ in range(2):
        x = g.scaled(g.node("LeakyRelu", g.conv(g.pad(x, 1, 1, 1, 1), 4, 4, stride=2), alpha=0.25))
    x = g.pad(g.pad(x, 0, 0, 0, 0), 1, 1, 1, 1, channels=1)
    return g.scaled(g.conv(x, 5, 4, stride=2))


MODELS = {each.__name__: each for each in (mobilenet, resnet, efficientnet, unet, quantized, googlenet, generator)}


def build(name, batch, height, width):
    """Return a model by name."""
    graph = Graph(batch, height, width)
    return graph.model(MODELS[name](graph))
