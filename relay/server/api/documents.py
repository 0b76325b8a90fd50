"""What the API's answers say of events, alerts and deliveries."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from pydantic import AliasChoices, AwareDatetime, Field

from relay.engine.holding import silence_of
from relay.engine.scene import Scene
from relay.model.alert import Alert, AlertState
from relay.model.delivery import Attempt, ChannelState, Delivery, DeliveryState, Outcome, Reason, tells
from relay.model.event import Event, Status, SubjectKind
from relay.model.severity import Severity
from relay.model.silence import Acknowledgement
from relay.server.api.operation import Document


class SubjectDocument(Document):
    """The thing that something is about."""

    kind: SubjectKind
    name: str
    gun: str | None = Field(None, description="the name under which its trust data was signed")
    replicas: tuple[str, ...] = ()


class EventDocument(Document):
    """An immutable fact. Its `details` depend on its type: see the reference of events."""

    id: str
    type: str
    status: Status
    severity: Severity
    cluster: str | None
    subject: SubjectDocument
    summary: str
    happened_at: AwareDatetime
    seen_at: AwareDatetime
    alert: str | None = Field(description="the alert whose beginning or end it is")
    starts_at: AwareDatetime | None
    ends_at: AwareDatetime | None
    flapping: bool
    labels: dict[str, str]
    annotations: dict[str, str]
    details: dict[str, Any]


class AcknowledgementDocument(Document):
    """Somebody takes care of an alert, or has taken note of an event."""

    about: str = Field(
        validation_alias=AliasChoices("thread", "about"), description="the id of the alert or event"
    )
    by: str
    at: AwareDatetime
    note: str
    until: AwareDatetime | None = Field(description="null: until it resolves")
    via: str = Field(description="how it came: cli, api, link or page")


class AlertDocument(Document):
    """A condition with a lifetime."""

    id: str
    fingerprint: str
    state: AlertState
    type: str
    severity: Severity
    cluster: str | None
    subject: SubjectDocument
    summary: str
    starts_at: AwareDatetime
    fired_at: AwareDatetime | None
    ends_at: AwareDatetime | None
    ended_because: str | None
    flapping: bool
    inhibited: bool = Field(description="a larger alert covers it")
    silenced_by: str | None = Field(description="the id of the silence that holds it back now")
    acknowledged: AcknowledgementDocument | None
    channels: list[str] = Field(description="the channels that were or are to be told")
    labels: dict[str, str]
    annotations: dict[str, str]
    details: dict[str, Any]

    @classmethod
    def of(cls, alert: Alert, scene: Scene, now: datetime) -> Self:
        """Return what is known of an alert now."""
        resolved = alert.state is AlertState.RESOLVED
        silence = None if resolved else silence_of(alert, scene, now)
        acknowledged = None if resolved else scene.acknowledgement(alert.id, now)
        return cls(
            id=alert.id,
            fingerprint=alert.fingerprint,
            state=alert.state,
            type=alert.type,
            severity=alert.severity,
            cluster=alert.cluster,
            subject=SubjectDocument.model_validate(alert.subject),
            summary=alert.summary,
            starts_at=alert.starts_at,
            fired_at=alert.fired_at,
            ends_at=alert.ends_at if resolved else None,
            ended_because=alert.ended_because,
            flapping=alert.flapping,
            inhibited=alert.inhibited,
            silenced_by=None if silence is None else silence.id,
            acknowledged=_acknowledged(acknowledged),
            channels=list(dict.fromkeys(told.channel for told in alert.told)),
            labels=dict(alert.labels),
            annotations=dict(alert.annotations),
            details=dict(alert.details),
        )


def _acknowledged(found: Acknowledgement | None) -> AcknowledgementDocument | None:
    return None if found is None else AcknowledgementDocument.model_validate(found)


class DeliveryDocument(Document):
    """One notification on its way to one channel."""

    id: str = Field(description="what the receiver sees, the same on every attempt")
    channel: str
    rule: str
    state: DeliveryState
    reason: Reason
    tells: str = Field(description="what it tells, in a few words")
    events: list[str]
    more: int = Field(description="how many further events it only counts")
    group: dict[str, str] | None
    part: int
    parts: int
    created_at: AwareDatetime
    due_at: AwareDatetime | None = Field(description="when it is looked at next; null if it is finished")
    finished_at: AwareDatetime | None
    attempts: int
    last_error: str | None
    note: str | None = Field(description="why it is held back or was not sent")
    merged_into: str | None = Field(description="the delivery that tells it together with others")
    replay_of: str | None

    @classmethod
    def of(cls, delivery: Delivery, told: Mapping[str, Event]) -> Self:
        """Return what is known of a delivery, given its events, as far as they are kept."""
        return cls(
            id=delivery.id,
            channel=delivery.channel,
            rule=delivery.rule,
            state=delivery.state,
            reason=delivery.reason,
            tells=tells(delivery, told),
            events=list(delivery.events),
            more=delivery.more,
            group=None if delivery.group is None else dict(delivery.group),
            part=delivery.part,
            parts=delivery.parts,
            created_at=delivery.created_at,
            due_at=delivery.due_at if delivery.finished_at is None else None,
            finished_at=delivery.finished_at,
            attempts=delivery.attempts,
            last_error=delivery.last_error,
            note=delivery.note,
            merged_into=delivery.merged_into,
            replay_of=delivery.replay_of,
        )


class TargetDocument(Document):
    """How an attempt ended for one address inside a channel."""

    target: str
    outcome: Outcome
    status: int | None
    error: str | None


class AttemptDocument(Document):
    """One try to send a delivery."""

    number: int
    at: AwareDatetime
    seconds: float
    outcome: Outcome
    status: int | None = Field(description="the receiver's status code")
    error: str | None
    answer: str = Field(description="what was answered, cut and redacted")
    targets: list[TargetDocument]
    body: str = Field(description="what was sent, redacted")
    plain: bool = Field(description="its template failed, so it went out in the plain form")

    @classmethod
    def all(cls, attempts: Sequence[Attempt]) -> list[Self]:
        """Return the documents of attempts."""
        return [cls.model_validate(each) for each in attempts]


class ChannelDocument(Document):
    """A configured destination, or one that is no longer configured and for which deliveries wait."""

    name: str
    kind: str | None = Field(description="null: it is not configured")
    state: ChannelState
    since: AwareDatetime | None
    reason: str
    by: str | None = Field(description="who disabled it")
    failures: int = Field(description="attempts that failed in a row")
    probe_at: AwareDatetime | None = Field(description="when it is tried again while it is failing or held")
    waiting: int = Field(description="how many deliveries wait, as far as counted: 10,000 in a state")
    dead: int = Field(description="how many were refused for good, as far as counted: 10,000")
    limits: dict[str, Any] = Field(description="what it may be sent, and how often it is tried")
