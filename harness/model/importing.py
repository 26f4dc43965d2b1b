"""Import a model: a file, or ``MODULE:ATTR``, becomes a module of Relax.

    .onnx  .tflite  .pt2  .py (TVMScript)  MODULE:ATTR (an IRModule, or a torch module and its example inputs)

Invariant: what cannot be imported raises UsageError: one line that names the model, the cause, and what helps.
"""

import importlib.util
import logging
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import tvm
from tvm import relax, tirx

from foldproof.core.errors import UsageError
from foldproof.core.loading import load_attribute
from foldproof.ir.relax.module import short_error

Shapes = Mapping[str, Sequence[int]]
"""Name of an input -> its lengths."""

KINDS = (".onnx", ".tflite", ".pt2", ".py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """An input of a model. ``shape`` has the name of a length where it is symbolic; None if the rank is unknown."""

    name: str
    shape: tuple[int | str, ...] | None
    dtype: str

    def __str__(self) -> str:
        lengths = "?" if self.shape is None else ",".join(map(str, self.shape))
        return f"{self.name}={lengths} {self.dtype}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An imported model.

    Args:
        name: what the user named: a path, or ``MODULE:ATTR``.
        kind: ``onnx``, ``tflite``, ``torch`` or ``relax``.
        module: the module; its constants hold the weights.
        entry: the name of the function that runs.
    """

    name: str
    kind: str
    module: tvm.IRModule
    entry: str

    @property
    def function(self) -> relax.Function:
        """Return the function that runs."""
        return self.module[self.entry]

    @property
    def inputs(self) -> tuple[Input, ...]:
        """Return the inputs in the order of the parameters."""
        return tuple(_read_input(param) for param in self.function.params)

    @property
    def symbolic(self) -> tuple[str, ...]:
        """Return the names of the symbolic lengths of the inputs."""
        lengths = (length for each in self.inputs for length in each.shape or ())
        return tuple(dict.fromkeys(length for length in lengths if isinstance(length, str)))


def import_model(spec: str | Path, shapes: Shapes | None = None) -> Model:
    """Import a model as a module of Relax.

    Args:
        spec: The path of an ``.onnx``, ``.tflite``, ``.pt2`` or ``.py`` file, ``FILE.py:NAME`` of one module among
            several, or ``MODULE:ATTR`` of an IRModule, of a ``torch.export.ExportedProgram``, of a pair
            (``torch.nn.Module``, tuple of example inputs), or of a function without arguments that returns one of them.
        shapes: Lengths of inputs, by name. They replace symbolic lengths.

    Returns:
        The model. Weights are constants of the module.

    Raises:
        UsageError: If the model cannot be imported, or an input of ``shapes`` does not exist.
    """
    name, given = str(spec), dict(shapes or {})
    path, colon, attribute = name.rpartition(":")
    if colon and path.endswith(".py"):
        kind, module = "relax", _load_script(Path(path), attribute)
    elif Path(name).suffix in KINDS:
        kind, module = _import_file(Path(name), given)
    elif colon:
        kind, module = _import_value(name, _load_attribute(name))
    else:
        raise UsageError(
            f"model {name!r} is not a file of a known format, nor MODULE:ATTR; expected one of {', '.join(KINDS)}"
        )
    model = Model(name=name, kind=kind, module=module, entry=_find_entry(name, module))
    return model if kind == "onnx" else _with_shapes(model, given)  # the frontend of ONNX took the shapes


def _import_file(path: Path, shapes: dict[str, Sequence[int]]) -> tuple[str, tvm.IRModule]:
    if not path.is_file():
        raise UsageError(f"{path}: {'is a folder' if path.is_dir() else 'does not exist'}")
    if path.suffix == ".py":
        return "relax", _load_script(path, "")
    return _FILES[path.suffix](path, shapes)


# --- ONNX ---------------------------------------------------------------------------------------------


def _import_onnx(path: Path, shapes: dict[str, Sequence[int]]) -> tuple[str, tvm.IRModule]:
    onnx = _require("onnx", "onnx", path)
    from tvm.relax.frontend.onnx import from_onnx

    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf raises its own types, and OSError for external data
        raise UsageError(f"{path}: is not an ONNX model: {short_error(error)}") from error
    constants = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in constants]
    renamed = {re.sub(r"[^\w]", "_", each.name): each.name for each in inputs}
    given = {renamed.get(name, name): list(lengths) for name, lengths in shapes.items()}
    _require_inputs(str(path), given, [each.name for each in inputs])
    dynamic = [text for each in inputs if each.name not in given and "?" in (text := _describe_onnx_input(each))]
    helps = _shapes_help(dynamic) if dynamic else "simplify the model with onnxsim or onnxslim, and try again"
    return "onnx", _convert(str(path), "ONNX", helps, lambda: from_onnx(model, shape_dict=given or None))


def _describe_onnx_input(value: Any) -> str:
    """Return ``x=?,3,?,?``: a question mark for each length that is not a number."""
    lengths = value.type.tensor_type.shape.dim
    return f"{value.name}={','.join(str(each.dim_value) if each.dim_value > 0 else '?' for each in lengths)}"


def _shapes_help(dynamic: list[str]) -> str:
    options = " ".join(f"--shape {each}" for each in dynamic)
    return f"give static shapes ({options}), or simplify the model with onnxsim or onnxslim"


# --- TFLite -------------------------------------------------------------------------------------------


def _import_tflite(path: Path, shapes: dict[str, Sequence[int]]) -> tuple[str, tvm.IRModule]:
    tflite = _require("tflite", "tflite", path)
    _require("flatbuffers", "tflite", path)
    from tvm.relax.frontend.tflite import from_tflite

    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise UsageError(f"{path}: is not a TFLite model: its bytes 4 to 7 are {content[4:8]!r}; expected b'TFL3'")
    helps = "replace these operators, or convert the model to ONNX (tf2onnx) and import that"
    module = _convert(str(path), "TFLite", helps, lambda: from_tflite(tflite.Model.GetRootAsModel(content, 0)))
    # The weights are constants, but the frontend also leaves them in an attribute, which TVMScript cannot hold.
    return "tflite", relax.frontend.detach_params(module)[0]


# --- torch --------------------------------------------------------------------------------------------


def _import_pt2(path: Path, shapes: dict[str, Sequence[int]]) -> tuple[str, tvm.IRModule]:
    torch = _require("torch", "torch", path)
    try:
        program = torch.export.load(str(path))
    except Exception as error:  # zipfile, pickle and torch raise errors of their own
        raise UsageError(f"{path}: is not a program of torch.export.save: {short_error(error)}") from error
    return "torch", _convert_program(str(path), program)


def _convert_program(name: str, program: Any) -> tvm.IRModule:
    from tvm.relax.frontend.torch import from_exported_program

    helps = "export the model with operators that TVM has, or through ONNX"
    return _convert(name, "PyTorch", helps, lambda: from_exported_program(program, unwrap_unit_return_tuple=True))


_FILES: Mapping[str, Callable[[Path, dict[str, Sequence[int]]], tuple[str, tvm.IRModule]]] = {
    ".onnx": _import_onnx,
    ".tflite": _import_tflite,
    ".pt2": _import_pt2,
}


def _load_attribute(name: str) -> Any:
    try:
        return load_attribute(name, "model")
    except UsageError as error:
        if isinstance(error.__cause__, ModuleNotFoundError) and error.__cause__.name == "torch":
            raise UsageError(f"{error}: pip install 'foldproof[torch]'") from error
        raise


def _import_value(name: str, value: Any) -> tuple[str, tvm.IRModule]:
    """Return the module that ``MODULE:ATTR`` gives: itself, or what a torch module is exported to."""
    torch: Any = sys.modules.get("torch")  # a value of torch has loaded it
    is_torch = torch is not None and isinstance(value, torch.nn.Module)
    if callable(value) and not is_torch and not isinstance(value, tvm.IRModule):
        try:
            value = value()
        except Exception as error:  # the user's function can raise anything
            raise UsageError(f"model {name!r}: the function raised {short_error(error)}") from error
        torch = sys.modules.get("torch")
    if isinstance(value, tvm.IRModule):
        return "relax", value
    if torch is not None and isinstance(value, torch.export.ExportedProgram):
        return "torch", _convert_program(name, value)
    pair = isinstance(value, tuple) and len(value) == 2 and torch is not None and isinstance(value[0], torch.nn.Module)
    if not pair:
        raise UsageError(
            f"model {name!r} is of type {type(value).__name__}; expected an IRModule, an ExportedProgram, "
            "a pair (torch.nn.Module, example inputs), or a function that returns one of them"
        )
    module, inputs = value
    try:
        program = torch.export.export(module.eval(), inputs if isinstance(inputs, tuple) else (inputs,))
    except Exception as error:  # torch raises errors of many types
        raise UsageError(
            f"model {name!r}: torch.export raised {short_error(error)}; export it by yourself, and save it as .pt2"
        ) from error
    return "torch", _convert_program(name, program)


# --- TVMScript ----------------------------------------------------------------------------------------


def _load_script(path: Path, attribute: str) -> tvm.IRModule:
    """Return the module of a Python file: one of the IRModules that it binds, or plain TVMScript."""
    if not path.is_file():
        raise UsageError(f"{path}: does not exist")
    found = _execute(path)
    modules = {key: value for key, value in found.items() if isinstance(value, tvm.IRModule)}
    distinct = {id(value): key for key, value in modules.items()}
    if attribute in modules:
        return modules[attribute]
    if attribute or len(distinct) != 1:
        names = ", ".join(modules) or "none"
        wanted = f"no module {attribute!r}" if attribute else f"{len(distinct)} modules"
        raise UsageError(f"{path}: holds {wanted}; expected {path}:NAME with one of {names}")
    return next(iter(modules.values()))


def _execute(path: Path) -> dict[str, Any]:
    """Return what a Python file binds. Plain TVMScript, as ``print(mod)`` writes it, needs no import."""
    name = "_foldproof_model"
    description = importlib.util.spec_from_file_location(name, path)
    assert description is not None
    assert description.loader is not None
    module = importlib.util.module_from_spec(description)
    sys.modules[name] = module  # the parser of TVMScript asks for the source of the class
    try:
        description.loader.exec_module(module)
        return vars(module)
    except Exception as error:  # a script can raise anything
        if isinstance(error, NameError) and error.name in ("I", "R", "T"):
            return _parse(path)
        raise UsageError(f"{path}: executing it raised {_short_diagnostic(error)}") from error
    finally:
        sys.modules.pop(name, None)


def _parse(path: Path) -> dict[str, Any]:
    try:
        return {"Module": tvm.script.from_source(path.read_text(encoding="utf-8"))}
    except Exception as error:  # the parser raises errors of many types
        raise UsageError(f"{path}: is not TVMScript: {_short_diagnostic(error)}") from error


def _short_diagnostic(error: Exception) -> str:
    """Return the message of TVM's parser, which is the line before a picture of the source; else the last line."""
    match = re.search(r"^error: (.*)$", str(error), re.MULTILINE)
    return f"{type(error).__name__}: {match[1][:200]}" if match else short_error(error)


# --- what all formats share ---------------------------------------------------------------------------


def _require(package: str, extra: str, path: Path) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UsageError(
            f"{path}: {path.suffix} needs the package {package!r}: pip install 'foldproof[{extra}]'"
        ) from error


def _convert(name: str, frontend: str, helps: str, convert: Callable[[], Any]) -> tvm.IRModule:
    """Return what a frontend of TVM makes of a model. Its messages are dropped: the error has the last one."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            made = convert()
    except Exception as error:  # a frontend raises errors of every type, TypeError among them
        raise UsageError(f"{name}: TVM's {frontend} frontend cannot import it: {_explain(error, helps)}") from error
    finally:
        logging.disable(before)
    return made[0] if isinstance(made, tuple) else made


_LACKING = re.compile(r"not supported (?:for|in) (?:the )?frontend \w+(?: yet)?: (?P<names>[^.]*)")


def _explain(error: Exception, helps: str) -> str:
    """Return the cause and the help, in one line. Operators that TVM lacks are named."""
    text = " ".join(str(error).split())
    if match := _LACKING.search(text):
        return f"it lacks the operators {match['names']}; replace them, or simplify the model, which may remove them"
    return f"{short_error(error)}; {helps}"


def _find_entry(name: str, module: tvm.IRModule) -> str:
    functions = [key.name_hint for key, value in module.functions_items() if isinstance(value, relax.Function)]
    if "main" in functions:
        return "main"
    public: list[str] = [each for each in functions if "global_symbol" in (module[each].attrs or {})]
    if len(public) != 1:
        raise UsageError(f"{name}: has no Relax function 'main'; expected it beside {', '.join(functions) or 'none'}")
    return public[0]


def _read_input(param: relax.Var) -> Input:
    ty = param.ty
    shape = getattr(ty, "shape", None)
    values = shape.values if isinstance(shape, relax.ShapeExpr) else None
    lengths = None if values is None else tuple(_read_length(each) for each in values)
    return Input(name=str(param.name), shape=lengths, dtype=str(getattr(ty, "dtype", "") or "?"))


def _read_length(length: Any) -> int | str:
    return int(length) if isinstance(length, tirx.IntImm | int) else str(length)


def _require_inputs(name: str, shapes: Shapes, inputs: Sequence[str]) -> None:
    for each in shapes:
        if each not in inputs:
            raise UsageError(f"{name}: unknown input {each!r}; expected one of {', '.join(inputs) or 'none'}")


def _with_shapes(model: Model, shapes: Shapes) -> Model:
    """Bind the symbolic lengths of inputs, and require that the other lengths are those that were given."""
    params = {_plain(str(param.name)): param for param in model.function.params}
    given = {_plain(name): tuple(lengths) for name, lengths in shapes.items()}
    _require_inputs(model.name, given, list(params))
    bound: dict[Any, int] = {}
    for name, lengths in given.items():
        declared = params[name].ty.shape
        if not isinstance(declared, relax.ShapeExpr) or len(declared.values) != len(lengths):
            raise UsageError(
                f"{model.name}: input {name} has the shape {declared}, which {','.join(map(str, lengths))} does not fit"
            )
        for length, number in zip(declared.values, lengths, strict=True):
            if isinstance(length, tvm.ir.Var):
                bound[length] = number
            elif _read_length(length) != number:
                raise UsageError(
                    f"{model.name}: input {name} has the length {_read_length(length)} where {number} was given"
                )
    return bind_lengths(model, bound) if bound else model


def _plain(name: str) -> str:
    return re.sub(r"[^\w]", "_", name)


def bind_lengths(model: Model, lengths: Mapping[Any, int]) -> Model:
    """Return a model with numbers in place of symbolic lengths: variable -> number, of the function that runs."""
    try:
        module = relax.transform.BindSymbolicVars(dict(lengths), model.entry)(model.module)
    except Exception as error:  # TVM raises errors of several types
        raise UsageError(f"{model.name}: the lengths cannot be bound: {short_error(error)}") from error
    return Model(name=model.name, kind=model.kind, module=module, entry=model.entry)
