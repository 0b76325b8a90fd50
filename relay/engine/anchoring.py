"""Anchoring: the head of the evidence is told elsewhere, where whoever rewrites the store cannot reach it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from relay.engine.evidence import ANCHORED
from relay.engine.punctual import Punctual
from relay.engine.schedule import Schedule
from relay.engine.signing import Key
from relay.model import details as d
from relay.model.clock import Clock
from relay.model.errors import StoreError
from relay.model.event import Subject, SubjectKind
from relay.model.evidence import Kind, anchor_body, statement
from relay.model.observation import Fact, Report
from relay.store import Store

SCOPE: Final = "evidence/anchor"


@dataclass(frozen=True, slots=True)
class Anchoring:
    """To which channel the head goes, when, and what signs it."""

    channel: str
    schedule: Schedule
    key: Key | None = None

    @property
    def name(self) -> str:
        """What tells it from heartbeats."""
        return SCOPE


class Anchorer(Punctual):
    """Tells the head of the evidence at each time of the schedule, once; nothing while there is none.

    What it tells is appended to the evidence itself, if no other entry has come in between.
    """

    def __init__(
        self,
        anchoring: Anchoring,
        store: Store,
        clock: Clock,
        take: Callable[[Report], Awaitable[None]],
        store_failed: Callable[[StoreError], None],
    ) -> None:
        super().__init__(SCOPE, anchoring.schedule, store, clock, take, store_failed)
        self._anchoring = anchoring

    async def fact(self, at: datetime) -> Fact | None:
        """Return where the evidence ends, None if there is none yet."""
        head = await self._store.evidence_head()
        if not head.seq:
            return None
        key, channel = self._anchoring.key, self._anchoring.channel
        signed = None if key is None else key.sign(statement(Kind.ANCHOR, anchor_body(head)))
        details = d.EvidenceAnchored(seq=head.seq, hash=head.hash, scheduled_at=at, signature=signed)
        return Fact(
            type=ANCHORED,
            identity=(channel, at.isoformat()),
            subject=Subject(SubjectKind.RELAY, channel),
            summary=f"The evidence log ends at entry {head.seq}",
            happened_at=at,
            details=details.plain(),
            channels=(channel,),
        )
