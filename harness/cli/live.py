"""The events of a campaign as they happen: shown on the terminal, and written as JSON Lines."""

from typing import Any

from foldproof.campaign.listener import Listener
from foldproof.campaign.summary import DistinctFailure, Summary, failure_record
from foldproof.cli.jsonl import JsonLines
from foldproof.core.errors import UsageError


class WriteLines(Listener):
    """Passes every event to another listener, and writes the failures to the file of ``--json``.

    A file that cannot be written does not end the campaign: ``error`` holds the first problem, for the end.
    """

    def __init__(self, shown: Listener, lines: JsonLines) -> None:
        self._shown, self._lines = shown, lines
        self.error: UsageError | None = None

    def on_progress(self, summary: Summary) -> None:
        """Show it."""
        self._shown.on_progress(summary)

    def on_failure(self, found: DistinctFailure) -> None:
        """Show it, and write the case as it was met."""
        self._shown.on_failure(found)
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

    def on_shrinking(self, found: DistinctFailure) -> None:
        """Show it."""
        self._shown.on_shrinking(found)

    def on_shrink_progress(self, found: DistinctFailure, tried: int, left: float) -> None:
        """Show it."""
        self._shown.on_shrink_progress(found, tried, left)

    def on_shrunk(self, found: DistinctFailure) -> None:
        """Show it, and write the shrunk case."""
        self._shown.on_shrunk(found)
        self._write({"event": "shrunk", **failure_record(found)})

    def _write(self, record: dict[str, Any]) -> None:
        if self.error is None:
            try:
                self._lines.write(record)
            except UsageError as error:
                self.error = error
