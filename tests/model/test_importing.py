"""Models are imported from each format; what cannot be is one line with the cause and what helps."""

import sys

import pytest
from tests.support.model_files import SCRIPT, SYMBOLIC, onnx_model

from foldproof.core.errors import UsageError
from foldproof.ir.relax.module import same
from foldproof.model import import_model

CUSTOM = b"\x1c\x00\x00\x00TFL3"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("given_")]:
        del sys.modules[name]


def error(spec, shapes=None):
    with pytest.raises(UsageError) as raised:
        import_model(spec, shapes)
    assert "\n" not in str(raised.value)
    return str(raised.value)


# --- formats ------------------------------------------------------------------------------------------


def test_an_onnx_file_is_imported_with_its_weights_as_constants(folder):
    model = import_model(onnx_model(folder / "net.onnx"))
    assert (model.kind, model.entry, model.symbolic) == ("onnx", "main", ())
    assert [str(each) for each in model.inputs] == ["x=1,3,16,16 float32"]


def test_symbolic_lengths_of_an_onnx_file_are_named_and_replaced_by_shapes(folder):
    path = onnx_model(folder / "net.onnx", height="H")
    assert import_model(path).symbolic == ("H",)
    assert import_model(path, {"x": (1, 3, 32, 16)}).inputs[0].shape == (1, 3, 32, 16)


def test_a_script_is_imported_and_a_name_chooses_among_several_modules(folder):
    (folder / "one.py").write_text(SCRIPT)
    (folder / "two.py").write_text(SCRIPT + SYMBOLIC)
    model = import_model("one.py")
    assert [each.name for each in model.inputs] == ["x", "w"]
    assert same(model.module, import_model("two.py:Net").module)
    assert import_model("two.py:Symbolic", {"x": (2, 2, 8, 9)}).inputs[0].shape == (2, 2, 8, 9)


def test_plain_tvmscript_without_imports_is_imported(folder):
    (folder / "one.py").write_text(SCRIPT)
    module = import_model("one.py").module
    (folder / "printed.py").write_text(module.script())
    assert same(import_model("printed.py").module, module)


def test_an_attribute_is_a_module_or_a_function_that_returns_one(folder):
    (folder / "given_models.py").write_text(SCRIPT + "\n\ndef make():\n    return Net\n")
    assert same(import_model("given_models:Net").module, import_model("given_models:make").module)


def test_torch_modules_and_programs_are_imported(folder):
    torch = pytest.importorskip("torch")
    (folder / "given_torch.py").write_text(
        "import torch\n"
        "net = torch.nn.Sequential(torch.nn.ZeroPad2d((1, 2, 1, 2)), torch.nn.Conv2d(3, 4, 3, stride=2))\n"
        "pair = (net, (torch.zeros(1, 3, 8, 8),))\n"
        "def make():\n    return pair\n"
    )
    model = import_model("given_torch:pair")
    assert (model.kind, [each.shape for each in model.inputs]) == ("torch", [(1, 3, 8, 8)])
    assert same(import_model("given_torch:make").module, model.module)
    torch.export.save(torch.export.export(*sys.modules["given_torch"].pair), "net.pt2")
    assert import_model("net.pt2").inputs == model.inputs


def test_a_module_that_needs_torch_names_the_extra(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (folder / "given_torch.py").write_text("import torch\n")
    assert error("given_torch:net").endswith("pip install 'foldproof[torch]'")


# --- what cannot be imported --------------------------------------------------------------------------


def test_an_operator_that_tvm_lacks_is_named(folder):
    message = error(onnx_model(folder / "net.onnx", op="Unknown"))
    assert "it lacks the operators Unknown; replace them, or simplify the model" in message


def test_dynamic_lengths_that_a_frontend_rejects_ask_for_shapes(folder):
    path = onnx_model(folder / "net.onnx", height="H", pads=((0, 0, 1, 1, 0, 0, 1),))
    assert "give static shapes (--shape x=1,3,?,16), or simplify the model with onnxsim or onnxslim" in error(path)


def test_a_static_model_that_a_frontend_rejects_asks_to_simplify_it(folder):
    path = onnx_model(folder / "net.onnx", pads=((0, 0, 1, 1, 0, 0, 1),))
    assert error(path).endswith("simplify the model with onnxsim or onnxslim, and try again")


@pytest.mark.parametrize(
    ("file", "package", "extra"),
    [("a.onnx", "onnx", "onnx"), ("a.tflite", "tflite", "tflite"), ("a.pt2", "torch", "torch")],
)
def test_a_missing_package_names_the_extra(folder, monkeypatch, file, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    (folder / file).write_bytes(b"")
    assert error(file) == f"{file}: .{file[2:]} needs the package '{package}': pip install 'foldproof[{extra}]'"


WRONG = {
    "absent.onnx": "does not exist",
    "net.txt": "is not a file of a known format, nor MODULE:ATTR; expected one of .onnx, .tflite, .pt2, .py",
    "bytes.onnx": "is not an ONNX model: ",
    "none.py": "holds 0 modules; expected none.py:NAME with one of none",
    "raises.py": "executing it raised ValueError: no",
    "two.py": "holds 2 modules; expected two.py:NAME with one of Net, Symbolic",
    "two.py:Other": "holds no module 'Other'; expected two.py:NAME with one of Net, Symbolic",
    "given_wrong:number": "is of type int; expected an IRModule, an ExportedProgram, a pair",
    "given_wrong:raises": "the function raised ValueError: no",
}


@pytest.mark.parametrize(("spec", "reason"), WRONG.items())
def test_bad_input_is_one_line(folder, spec, reason):
    (folder / "bytes.onnx").write_bytes(b"not a model")
    (folder / "none.py").write_text("number = 1\n")
    (folder / "raises.py").write_text("raise ValueError('no')\n")
    (folder / "two.py").write_text(SCRIPT + SYMBOLIC)
    (folder / "given_wrong.py").write_text("number = 1\ndef raises():\n    raise ValueError('no')\n")
    assert reason in error(spec)


def test_a_tflite_file_needs_its_identifier(folder):
    pytest.importorskip("tflite")
    (folder / "a.tflite").write_bytes(b"12345678")
    assert "its bytes 4 to 7 are b'5678'; expected b'TFL3'" in error("a.tflite")


def test_shapes_have_to_fit_the_inputs(folder):
    (folder / "one.py").write_text(SCRIPT)
    (folder / "symbolic.py").write_text(SYMBOLIC)
    assert "unknown input 'y'; expected one of x, w" in error("one.py", {"y": (1,)})
    assert "which 1,2 does not fit" in error("symbolic.py", {"x": (1, 2)})
    assert "has the length 2 where 3 was given" in error("symbolic.py", {"x": (1, 3, 8, 8)})
    assert "unknown input 'y'; expected one of x" in error(onnx_model(folder / "net.onnx"), {"y": (1,)})
