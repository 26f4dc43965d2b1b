"""Listener: receives the events of a campaign."""

from foldproof.campaign.summary import DistinctFailure, Summary


class Listener:
    """Receives the events of a campaign; a report overrides its methods.

    ``stopped`` is set when the user stops the campaign: a KeyboardInterrupt alone is lost where Python ignores
    exceptions, such as in a finalizer.
    """

    stopped = False

    def on_progress(self, summary: Summary) -> None:
        """A batch was checked."""

    def on_failure(self, found: DistinctFailure) -> None:
        """A new distinct failure was found."""

    def on_shrinking(self, found: DistinctFailure) -> None:
        """A failure is about to be shrunk."""

    def on_shrink_progress(self, found: DistinctFailure, tried: int, left: float) -> None:
        """A failure is being shrunk: ``tried`` cases were tried, and at most ``left`` seconds are left."""

    def on_shrunk(self, found: DistinctFailure) -> None:
        """A failure was shrunk, saved and rerun."""
