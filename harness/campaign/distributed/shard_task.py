"""The task of a shard: all that another machine needs to check it, as plain values."""

from dataclasses import dataclass
from typing import Any, Self

from foldproof.campaign.settings import TASK_ROLES, Settings
from foldproof.core.versions import versions


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardTask:
    """Shard ``shard`` of a campaign, of at most ``most`` cases, for a machine that has these ``versions``."""

    settings: Settings
    shard: int
    most: int
    versions: dict[str, str]

    @classmethod
    def create(cls, settings: Settings, shard: int, most: int) -> Self:
        """Return the task for machines that have the versions of this process."""
        return cls(settings=settings, shard=shard, most=most, versions=versions())

    def to_dict(self) -> dict[str, Any]:
        """Return the task as JSON values. Only the settings that a shard depends on are in it."""
        settings = self.settings.to_dict(TASK_ROLES)
        return {"settings": settings, "shard": self.shard, "most": self.most, "versions": self.versions}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Self:
        """Return the task that ``to_dict`` recorded."""
        return cls(**{**record, "settings": Settings.from_dict(record["settings"])})
