"""The settings of the evidence log."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from relay.config import Duration, Section, at_least
from relay.engine.anchoring import Anchoring
from relay.engine.intervals import Zone
from relay.engine.schedule import Schedule, check_schedule
from relay.engine.signing import Key


def _check_key(key: SecretStr) -> SecretStr:
    Key(key.get_secret_value())
    return key


class AnchorSettings(Section):
    """Where the head of the evidence log is told: a store that was rewritten contradicts that message."""

    channel: str
    """The channel that is told, whatever the rules say; best one that the relay's machine cannot change."""
    schedule: Annotated[str, AfterValidator(check_schedule)] = "0 6 * * *"
    """When: five fields as in cron."""
    zone: Zone | None = None
    """The time zone of the schedule. Default: `timezone`."""


class EvidenceSettings(Section):
    """The evidence log: every record of the changefeed as it was seen, in a chain of hashes."""

    enabled: bool = True
    """`false` records nothing more; what was recorded stays until its time is over."""
    key: Annotated[SecretStr, AfterValidator(_check_key)] | None = None
    """ed25519 key that signs anchors and checkpoints: `whsk_` and base64, or PEM. Also as `key_file`."""
    anchor: AnchorSettings | None = None
    """Where and when the head is told."""
    retention: Annotated[Duration, at_least(timedelta(days=1))] = timedelta(days=400)
    """How long entries are kept, at least 1d; a checkpoint takes the place of older ones."""

    @property
    def signer(self) -> Key | None:
        """What signs, if anything does."""
        return None if self.key is None else Key(self.key.get_secret_value())

    def anchoring(self, timezone: str) -> Anchoring | None:
        """Return what is to be told when; ``timezone`` is the zone of a schedule that names none."""
        if not self.enabled or self.anchor is None:
            return None
        schedule = Schedule(self.anchor.schedule, self.anchor.zone or timezone)
        return Anchoring(self.anchor.channel, schedule, self.signer)
