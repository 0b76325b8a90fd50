"""What becomes of an event, as a document for programs."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from relay.engine.explanation import Explained, Muting, larger
from relay.engine.outlook import Way
from relay.engine.routing import Verdict
from relay.engine.scene import standing
from relay.model.delivery import DeliveryState, Reason

Stamp = Annotated[
    datetime,
    PlainSerializer(lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}", return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A time in UTC, to the second."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)


class ExplainedEvent(_Document):
    """The event that is spoken of."""

    type: str
    status: str
    severity: str
    cluster: str | None
    subject: str


class RuleVerdict(_Document):
    """What a rule says to the event."""

    rule: str
    matches: bool
    reached: bool = Field(description="false: a rule above stops")
    misses: list[str] = Field(description="why it does not match")
    channels: list[str]

    @classmethod
    def of(cls, verdict: Verdict) -> "RuleVerdict":
        """Return a verdict as a document."""
        return cls(
            rule=verdict.rule,
            matches=not verdict.misses and verdict.reached,
            reached=verdict.reached,
            misses=list(verdict.misses),
            channels=list(verdict.channels),
        )


class Gathering(_Document):
    """What it is gathered with."""

    by: dict[str, str]
    wait_seconds: float
    interval_seconds: float
    joins: bool = Field(description="there is such a group already")


class HeldBack(_Document):
    """What holds it back, and until when; null: for good."""

    state: str
    until: Stamp | None
    note: str


class Route(_Document):
    """A delivery that there would be."""

    channel: str
    rule: str
    template: str | None
    reason: str
    after_seconds: float | None = Field(description="null: not known, a larger alert covers it")
    due_at: Stamp
    group: Gathering | None
    repeat_seconds: float | None
    digest_after_seconds: float | None
    muted_until: Stamp | None
    held_back: HeldBack | None

    @classmethod
    def of(cls, explained: Explained, way: Way) -> "Route":
        """Return a way as a document."""
        rule, delivery, hold = way.rule, way.delivery, way.hold
        escalation = delivery.reason is Reason.ESCALATION
        known = not escalation or delivery.state is not DeliveryState.INHIBITED
        after = timedelta(0) if rule is None else rule.after
        wait = delivery.due_at - explained.at if escalation else after
        grouped = rule.group if rule is not None and delivery.gathered else None
        repeat = None if rule is None or escalation else rule.repeat
        digest = explained.digests.get(delivery.channel)
        return cls(
            channel=delivery.channel,
            rule=delivery.rule,
            template=delivery.template,
            reason=str(delivery.reason),
            after_seconds=wait.total_seconds() if known else None,
            due_at=delivery.due_at,
            group=None
            if grouped is None
            else Gathering(
                by=dict(delivery.group or {}),
                wait_seconds=grouped.wait.total_seconds(),
                interval_seconds=grouped.interval.total_seconds(),
                joins=way.joins,
            ),
            repeat_seconds=None if repeat is None else repeat.total_seconds(),
            digest_after_seconds=None if digest is None else digest.total_seconds(),
            muted_until=Muting.of(rule, explained.times, explained.at).until,
            held_back=None
            if hold is None
            else HeldBack(state=str(hold.state), until=hold.until, note=hold.note),
        )


class MatchingSilence(_Document):
    """A silence that matches it."""

    id: str
    state: str
    ends_at: Stamp


class Cover(_Document):
    """What it is not told under."""

    source: str = Field(description="which alert covers it, in words")
    alerts: list[str] = Field(description="the ids of those that fire now")


class Explanation(_Document):
    """What becomes of an event: what every rule says, who gets it, when, and what holds it back."""

    event: ExplainedEvent
    note: str = Field(description="what was taken from the sample of the event's type; empty for nothing")
    at: Stamp
    store_read: bool
    rules: list[RuleVerdict]
    routes: list[Route]
    silences: list[MatchingSilence]
    inhibitions: list[Cover]

    @classmethod
    def of(cls, explained: Explained) -> "Explanation":
        """Return what was found as a document."""
        event, seen = explained.found.event, explained.seen
        return cls(
            event=ExplainedEvent(
                type=event.type,
                status=str(event.status),
                severity=str(event.severity),
                cluster=event.cluster,
                subject=event.subject.name,
            ),
            note=explained.found.note,
            at=explained.at,
            store_read=explained.store,
            rules=[RuleVerdict.of(each) for each in explained.verdicts],
            routes=[Route.of(explained, way) for way in seen.ways],
            silences=[
                MatchingSilence(id=each.id, state=str(standing(each, explained.at)), ends_at=each.ends_at)
                for each in seen.silences
            ],
            inhibitions=[
                Cover(source=larger(inhibition), alerts=[alert.id for alert in alerts])
                for inhibition, alerts in seen.covers
            ],
        )
