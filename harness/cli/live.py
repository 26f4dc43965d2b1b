"""The progress of a campaign with its failures written as JSON Lines when they happen."""

from typing import Any

from rich.console import Console

from foldproof.campaign.summary import DistinctFailure, failure_record
from foldproof.cli.jsonl import JsonLines
from foldproof.core.errors import UsageError
from foldproof.report.progress import Progress


class WrittenProgress(Progress):
    """Shows the progress of a campaign, and writes its failures to the file of ``--json``.

    A file that cannot be written does not end the campaign: ``error`` holds the first problem, for the end.
    """

    def __init__(self, console: Console, lines: JsonLines, *, seconds: float | None, examples: int | None) -> None:
        super().__init__(console, seconds=seconds, examples=examples)
        self._lines = lines
        self.error: UsageError | None = None

    def on_failure(self, found: DistinctFailure) -> None:
        """Show a new failure, and write the case as it was met."""
        super().on_failure(found)
        failure = found.failure
        self._write(
            {
                "event": "met",
                "fingerprint": failure.fingerprint,
                "kind": failure.kind,
                "symptom": failure.symptom,
                "detail": failure.detail,
                "case": failure.case.to_json(),
            }
        )

    def on_shrunk(self, found: DistinctFailure) -> None:
        """Write the shrunk case."""
        super().on_shrunk(found)
        self._write({"event": "shrunk", **failure_record(found)})

    def _write(self, record: dict[str, Any]) -> None:
        if self.error is None:
            try:
                self._lines.write(record)
            except UsageError as error:
                self.error = error
