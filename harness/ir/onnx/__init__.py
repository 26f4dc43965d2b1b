"""ONNX: models of cases, what runs them, and the passes of other projects that change them. It needs no TVM."""
