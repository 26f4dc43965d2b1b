"""OnnxCase: a case with the form in which an ONNX model spells it. It goes wherever a case goes.

    OnnxCase(case, form)  --to_json-->  {"case": {...}, "form": {...}}

It has the attributes of its case, so that whatever reads an op, a dtype or the fills of a case reads those.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Self

from foldproof.case.case import Case
from foldproof.case.form import Form
from foldproof.case.records import Record, require


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class OnnxCase(Record):
    """A case as an ONNX model: what is computed, and how it is spelled.

    Args:
        case: what is computed.
        form: how a model spells it.
    """

    case: Case
    form: Form = field(default_factory=Form)

    nested = {"case": Case, "form": Form}

    def __post_init__(self) -> None:
        require(isinstance(self.case, Case), f"case must be a Case, not {self.case!r}")
        require(isinstance(self.form, Form), f"form must be a Form, not {self.form!r}")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in ("case", "form"):  # they are missing: nothing to delegate
            raise AttributeError(name)
        return getattr(self.case, name)

    def dumps(self) -> str:
        """Return the value as one line of JSON."""
        return json.dumps(self.to_json(), allow_nan=False)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values with the keys ``case`` and ``form``."""
        return {"case": self.case.to_json(), "form": self.form.to_dict()}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Return the value that ``to_json`` wrote.

        Raises:
            ValueError: if it is not such a value; the message names what is wrong.
        """
        if not isinstance(value, dict):
            raise ValueError(f"a case must be a JSON object, not a {type(value).__name__}")
        for name in value:
            require(name in ("case", "form"), f"OnnxCase has no field {name!r}; its fields are case, form")
        require("case" in value, "OnnxCase lacks 'case'")
        return cls(case=Case.from_json(value["case"]), form=Form.from_dict(value.get("form", {})))

    def simpler(self) -> Iterator["OnnxCase"]:
        """Yield the next simpler values: those of the form first, since they explain most, then those of the case."""
        yield from (replace(self, form=form) for form in self.form.simpler())
        yield from (replace(self, case=case) for case in self.case.simpler())
